"""What the monitors say of recorded runs, and how that compares with the truth.

python benchmarks/diagnosis/score.py                 # the half on which thresholds are tuned
python benchmarks/diagnosis/score.py --half heldout  # the other one: for the tables only
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from replay import Recorded, recorded
from truth import holding

from gan_lightning.callbacks.monitors.convergence import ConvergenceMonitor
from gan_lightning.callbacks.monitors.divergence import DivergenceMonitor
from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.oscillation import OscillationMonitor
from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor

LOOKS = 50
SAME = {"partial mode collapse": "mode collapse", "copying": "overfitting"}


@dataclass(frozen=True)
class Judged:
    """A recorded run and what was said of it.

    Attributes:
        run: The run.
        said: Each kind's first look, in the order of the looks; of one look in that of the
            monitors.
    """

    run: Recorded
    said: tuple[tuple[str, int], ...]

    @property
    def first(self) -> str | None:
        """The kind that was named first; of several at one look the first monitor's."""
        return self.said[0][0] if self.said else None

    @property
    def right(self) -> bool:
        """Whether the first look that named anything named a true kind first."""
        return self.first in self.run.onsets

    @property
    def true_then(self) -> bool:
        """Whether the first named kind is true, or held when it was named or two looks before."""
        if not self.said:
            return False
        kind, look = self.said[0]
        holds = holding(self.run.looks, self.run.points)[kind]
        return self.right or bool(holds[max(0, look - 2) : look + 1].any())

    def delay(self) -> float | None:
        """From a true kind's onset to its verdict, as a share of the run; early ones give 0."""
        delays = [
            max(0, look - self.run.onsets[kind]) / LOOKS
            for kind, look in self.said
            if kind in self.run.onsets
        ]
        return min(delays) if delays else None


def monitors() -> list[AbstractMonitor]:
    """All of them with their defaults, in the order of their word."""
    return [
        DivergenceMonitor(),
        OverfittingMonitor(),
        ConvergenceMonitor(),
        ModeCollapseMonitor(),
        OscillationMonitor(),
    ]


def judge(run: Recorded, panel: Sequence[AbstractMonitor]) -> Judged:
    """Let the monitors see a run look by look."""
    said: dict[str, int] = {}
    for look in range(1, len(run.history) + 1):
        history = run.history.until(look)
        for monitor in panel:
            for found in monitor.judge(history):
                said.setdefault(SAME.get(found.kind, found.kind), look - 1)
    return Judged(run, tuple(sorted(said.items(), key=lambda item: item[1])))


def main() -> None:
    """Print figures and every error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tuning", "heldout"), default="tuning")
    heldout = parser.parse_args().half == "heldout"
    panel = monitors()
    every = [judge(r, panel) for r in recorded() if r.configuration.heldout == heldout]
    failed = [j for j in every if j.run.state == "failed"]
    healthy = [j for j in every if j.run.state == "healthy"]
    recovered = [j for j in every if j.run.state == "recovered"]
    found = [j for j in failed if j.said]
    late = [j for j in failed if "mode collapse" in j.run.onsets]
    half = [j for j in late if dict(j.said).get("mode collapse", LOOKS) < LOOKS // 2]
    delays = sorted(d for j in found if (d := j.delay()) is not None)
    print(f"{len(every)} runs, {len(healthy)} healthy, {len(failed)} failed")
    print(f"found {len(found)}/{len(failed)}, right {sum(j.right for j in found)}/{len(found)}")
    print(f"any right {sum(any(k in j.run.onsets for k, _ in j.said) for j in found)}")
    print(f"false alarms {sum(bool(j.said) for j in healthy)}/{len(healthy)}")
    print(f"recovered runs named {sum(bool(j.said) for j in recovered)}/{len(recovered)}")
    print(f"median delay {delays[len(delays) // 2] if delays else None}")
    print(f"collapse before half {len(half)}/{len(late)}")
    kinds = sorted({kind for j in failed for kind in j.run.onsets})
    for kind in kinds:
        true = [j for j in failed if kind in j.run.onsets]
        named = [j for j in every if kind in dict(j.said)]
        both = sum(kind in dict(j.said) for j in true)
        print(f"  {kind}: named {both} of {len(true)}; true in {both} of {len(named)} named")
    for j in every:
        bad = (j.run.state == "failed" and not j.right) or (j.run.state == "healthy" and j.said)
        if bad or j.run.state == "undecided":
            print(f"{j.run.name:44s} {j.run.state:10s} {dict(j.run.onsets)} said {dict(j.said)}")


if __name__ == "__main__":
    main()
