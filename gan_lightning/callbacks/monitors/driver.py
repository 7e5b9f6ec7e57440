"""Looks at a run for one monitor or several, and sees to it that their verdicts are acted upon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from gan_lightning.callbacks._real_samples import kind_of
from gan_lightning.callbacks._trainer import datamodule_of
from gan_lightning.callbacks.monitors.action import AbstractAction
from gan_lightning.callbacks.monitors.advice import advice
from gan_lightning.callbacks.monitors.announce import announce, begin
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.observation import Observation
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.signals import Signals
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding, Verdict
from gan_lightning.families.base import AbstractGAN
from gan_lightning.metrics.defaults import cheap_extractor
from gan_lightning.metrics.extractors.base import AbstractExtractor

if TYPE_CHECKING:
    from gan_lightning.callbacks.monitors.monitor import AbstractMonitor

__all__ = ["Driver"]

# Looks without a finding: as many as patience asks for, since a rule pauses while a run improves.
_RECOVERED = 5


@final
class Driver:
    """One observer, its history, and the monitors that judge it.

    The first process looks, the others hear from it, so that all act alike; what goes wrong on the
    first one is raised on all.

    Args:
        observer: Who looks.
        monitors: Who judges.
        extractor: Features of images; None chooses by the data.
    """

    def __init__(
        self,
        observer: Observer,
        monitors: Sequence[AbstractMonitor],
        extractor: AbstractExtractor | None = None,
    ) -> None:
        self.observer = observer
        self.monitors = monitors
        self.extractor = extractor
        self.history = History()
        self.signals: Signals | None = None
        self.verdicts: list[Verdict] = []
        self._standing: dict[str, tuple[Verdict, int]] = {}  # by monitor and kind, last look
        self._loaded: dict[str, Any] = {}

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Begin a fit, or go on with a resumed one.

        Raises:
            ValueError: If all monitors need held-out samples and there are none; what the observer
                and the actions raise.
        """
        self._refuse_blindness()
        self.observer.start(trainer, module)
        self.history = History(self.observer.interval, self.observer.planned)
        self.signals, self._standing, self.verdicts = None, {}, []
        if self._loaded:
            self._resume(trainer)
        self._warn_of_silence()
        for action in self._actions():
            action.start(trainer, module)
        if trainer.is_global_zero:
            begin(trainer)

    def step(self, trainer: lightning.Trainer, module: AbstractGAN, batch: Any) -> None:
        """Remember a training step; look when it is time."""
        self.observer.watch(trainer, module, batch)
        if not self.observer.due(trainer, module):
            return
        told: tuple[list[dict[str, Any]], str] = ([], "")
        failure: Exception | None = None
        samples = torch.empty(0)
        if trainer.is_global_zero:
            try:
                seen = self.observer.look(module)
                samples = seen.samples
                told = ([verdict.as_dict() for verdict in self._judge(trainer, module, seen)], "")
            except Exception as error:  # the others wait for it; not all exceptions can be sent
                failure, told = error, ([], f"{type(error).__name__}: {error}")
        else:
            self.observer.forget()
        verdicts, words = trainer.strategy.broadcast(told)
        if failure is not None:
            raise failure
        if words:
            raise RuntimeError(f"A look at the players failed on the first process: {words}")
        self._act(trainer, module, [Verdict.from_dict(v) for v in verdicts], samples)

    def _judge(
        self, trainer: lightning.Trainer, module: AbstractGAN, seen: Observation
    ) -> list[Verdict]:
        """New verdicts, and recoveries from earlier ones."""
        if self.signals is None and self.observer.real is not None:
            self.signals = self._reference(trainer)
        if self.signals is None:
            return []  # the reservoir is not full yet
        self.history.add(seen.step, self.signals.measure(seen))
        verdicts = []
        for monitor in self.monitors:
            for finding in monitor.judge(self.history):
                verdicts += self._new(monitor, module, finding)
        return verdicts + self._recoveries()

    def _new(
        self, monitor: AbstractMonitor, module: AbstractGAN, finding: Finding
    ) -> list[Verdict]:
        """The verdict on a finding, unless it stands already."""
        key = f"{type(monitor).__name__}/{finding.kind}"
        now = len(self.history)
        if key in self._standing:
            self._standing[key] = (self._standing[key][0], now)
            return []
        verdict = Verdict(
            kind=finding.kind,
            since=int(finding.since),
            evidence=tuple(map(_plain, finding.evidence)),
            confidence=float(finding.confidence),
            note=finding.note or monitor.note(finding, module, self.history),
            step=self.history.steps[-1],
            monitor=type(monitor).__name__,
            advice=advice(finding.kind, module),
        )
        self._standing[key] = (verdict, now)
        return [verdict]

    def _recoveries(self) -> list[Verdict]:
        gone = []
        for key, (verdict, look) in list(self._standing.items()):
            if len(self.history) - look >= _RECOVERED:
                del self._standing[key]
                gone.append(
                    Verdict(
                        verdict.kind,
                        verdict.step,
                        (),
                        1.0,
                        step=self.history.steps[-1],
                        monitor=verdict.monitor,
                        recovered=True,
                    )
                )
        return gone

    def _act(
        self,
        trainer: lightning.Trainer,
        module: AbstractGAN,
        verdicts: Sequence[Verdict],
        samples: Tensor,
    ) -> None:
        by_name = {type(monitor).__name__: monitor for monitor in self.monitors}
        back_to, failure = None, None
        for verdict in verdicts:
            # One way back is enough, and the first verdict says why a run has stopped.
            over = back_to is not None or failure is not None or trainer.should_stop
            if not verdict.recovered and not over:
                try:
                    done = by_name[verdict.monitor].act.act(trainer, module, verdict)
                    verdict, back_to = verdict.acted(done.words), done.back_to
                except Exception as error:  # people hear of the verdict first
                    failure = error
                    verdict = verdict.acted(f"failed: {type(error).__name__}: {error}")
                    # Nothing has been done, so that a run resumed from here says it again.
                    self._standing.pop(f"{verdict.monitor}/{verdict.kind}", None)
            self.verdicts.append(verdict)
            if trainer.is_global_zero:
                real = None if self.observer.real is None else self.observer.real[0]
                announce(trainer, module, verdict, self.history, samples, real)
        if failure is not None:
            raise failure
        if back_to is not None:
            self.history.cut(back_to)
            self._standing = {}
            if self.signals is not None:
                self.signals.forget()
        elif trainer.strategy.broadcast(not self._standing and self._grown()):
            for action in self._actions():
                action.healthy(trainer, module)

    def _actions(self) -> list[AbstractAction]:
        """Each once; monitors may share one."""
        return list({id(monitor.act): monitor.act for monitor in self.monitors}.values())

    def _grown(self) -> bool:
        return len(self.history) > self.history.young

    def _reference(self, trainer: lightning.Trainer) -> Signals:
        assert self.observer.real is not None
        x, labels = self.observer.real
        extractor = self.extractor
        if extractor is None and x.ndim == 4:
            extractor = cheap_extractor(kind_of(datamodule_of(trainer)), x.shape[1:])
        unseen = None if self.observer.unseen is None else self.observer.unseen[0]
        return Signals(x, labels, unseen, extractor)

    def state_dict(self) -> dict[str, Any]:
        """What verdicts after a resume need to equal those of the uninterrupted run."""
        signals = {} if self.signals is None else {"signals": self.signals.state_dict()}
        return {
            "history": self.history.state_dict(),
            "observer": self.observer.state_dict(),
            "standing": {key: [v.as_dict(), look] for key, (v, look) in self._standing.items()},
            "actions": [monitor.act.state_dict() for monitor in self.monitors],
            **signals,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; what belongs to a fit is put in place at its start."""
        self._loaded = dict(state)
        for monitor, saved in zip(self.monitors, state.get("actions", []), strict=False):
            monitor.act.load_state_dict(saved)

    def _resume(self, trainer: lightning.Trainer) -> None:
        loaded, self._loaded = self._loaded, {}  # a later fit begins anew
        before = loaded["history"]["interval"]
        if self.observer.every_n_steps is None:
            self.observer.interval = self.history.interval = before
        alike = before == self.observer.interval and self.observer.looks_alike(loaded["observer"])
        self.history.load_state_dict(loaded["history"])
        self.observer.load_state_dict(loaded["observer"])
        self._standing = {
            key: (Verdict.from_dict(v), look) for key, (v, look) in loaded["standing"].items()
        }
        if "signals" in loaded and trainer.is_global_zero and self.observer.real is not None:
            self.signals = self._reference(trainer)
            if alike:  # else the next look has none before it to be compared with
                self.signals.load_state_dict(loaded["signals"])

    def _refuse_blindness(self) -> None:
        if self.observer.heldout is None and all(m.needs_heldout for m in self.monitors):
            names = ", ".join(type(monitor).__name__ for monitor in self.monitors)
            raise ValueError(
                "`heldout` must serve real samples that are not trained on for "
                f"{names}, which can name nothing without them, got None."
            )

    def _warn_of_silence(self) -> None:
        looks = self.history.young + min(monitor.patience for monitor in self.monitors)
        steps, planned = looks * self.history.interval, self.history.planned
        if planned is not None and steps > planned:
            rank_zero_warn(
                f"`every_n_steps` should be smaller than {self.history.interval} in a run of "
                f"{planned:,} steps: monitors name nothing but NaN before {looks} looks, which is "
                f"step {steps:,}."
            )


def _plain(evidence: Evidence) -> Evidence:
    """Without NumPy's numbers, which a history gives and a checkpoint must not hold."""
    was = None if evidence.was is None else float(evidence.was)
    value, threshold = float(evidence.value), float(evidence.threshold)
    return replace(evidence, value=value, threshold=threshold, above=bool(evidence.above), was=was)
