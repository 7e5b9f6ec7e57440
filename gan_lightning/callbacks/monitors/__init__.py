"""Failures named while a run is young."""

from gan_lightning.callbacks.monitors.convergence import ConvergenceMonitor
from gan_lightning.callbacks.monitors.divergence import DivergenceMonitor
from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor
from gan_lightning.callbacks.monitors.oscillation import OscillationMonitor
from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor

__all__ = [
    "ConvergenceMonitor",
    "DivergenceMonitor",
    "FailureMonitors",
    "ModeCollapseMonitor",
    "OscillationMonitor",
    "OverfittingMonitor",
]
