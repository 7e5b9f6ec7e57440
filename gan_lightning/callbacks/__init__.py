"""What is observed or scheduled over time."""

from gan_lightning.callbacks.annealing import Beta2Annealing, GammaAnnealing
from gan_lightning.callbacks.checkpoint import GANCheckpoint
from gan_lightning.callbacks.diversity import SampleDiversity
from gan_lightning.callbacks.evaluation import EvaluationCallback
from gan_lightning.callbacks.label_smoothing import LabelSmoothing
from gan_lightning.callbacks.monitors import (
    ConvergenceMonitor,
    DivergenceMonitor,
    FailureMonitors,
    ModeCollapseMonitor,
    OscillationMonitor,
    OverfittingMonitor,
)
from gan_lightning.callbacks.plot import LossPlot
from gan_lightning.callbacks.progress import GANProgressBar
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.callbacks.samples import SampleLogger

__all__ = [
    "Beta2Annealing",
    "ConvergenceMonitor",
    "DivergenceMonitor",
    "EvaluationCallback",
    "FailureMonitors",
    "GANCheckpoint",
    "GANProgressBar",
    "GammaAnnealing",
    "LabelSmoothing",
    "LossPlot",
    "ModeCollapseMonitor",
    "OscillationMonitor",
    "OverfittingMonitor",
    "RunRecorder",
    "SampleDiversity",
    "SampleLogger",
]
