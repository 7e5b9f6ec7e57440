"""Failures named while a run is young."""

from gan_lightning.callbacks.monitors.actions import AbstractAction, Done, Rollback, Stop, Warn
from gan_lightning.callbacks.monitors.changes import (
    AbstractChange,
    ScaleLearningRates,
    ScalePenalty,
    SetDiscriminatorSteps,
)
from gan_lightning.callbacks.monitors.convergence import ConvergenceMonitor
from gan_lightning.callbacks.monitors.divergence import DivergenceMonitor
from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.oscillation import OscillationMonitor
from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding, Verdict

__all__ = [
    "AbstractAction",
    "AbstractChange",
    "AbstractMonitor",
    "ConvergenceMonitor",
    "DivergenceMonitor",
    "Done",
    "Evidence",
    "FailureMonitors",
    "Finding",
    "ModeCollapseMonitor",
    "Observer",
    "OscillationMonitor",
    "OverfittingMonitor",
    "Rollback",
    "ScaleLearningRates",
    "ScalePenalty",
    "SetDiscriminatorSteps",
    "Stop",
    "Verdict",
    "Warn",
]
