"""The table, the confusion matrix, the delays and every miss of the monitors on the held-out half.

    python benchmarks/diagnosis/report.py    # after corpus.py; writes results/diagnosis.md

Pictures of misses and false alarms go to docs/images/failures.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from score import LOOKS, Judged, judge, monitors

# isort: split

import torch
from pictures import delays as draw_delays
from pictures import miss
from replay import FOLDER, recorded
from truth import KINDS

sys.path.append(str(Path(__file__).parents[1]))
from machine import describe

RESULTS = Path(__file__).parents[1] / "results" / "diagnosis.md"
IMAGES = Path(__file__).parents[2] / "docs" / "images" / "failures"
RESAMPLES = 2000


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def by_configuration(
    runs: Sequence[Judged], value: Callable[[Sequence[Judged]], float]
) -> tuple[float, float]:
    """A 95 % bootstrap interval that draws configurations: their seeds are not independent."""
    groups: dict[str, list[Judged]] = {}
    for run in runs:
        groups.setdefault(run.run.configuration.name, []).append(run)
    names, draw = list(groups), random.Random(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = [run for name in draw.choices(names, k=len(names)) for run in groups[name]]
        values.append(value(drawn))
    values = sorted(v for v in values if not math.isnan(v))
    return values[int(0.025 * len(values))], values[int(0.975 * len(values)) - 1]


def share_row(
    name: str, runs: Sequence[Judged], holds: Callable[[Judged], bool], target: str
) -> str:
    """A line of the main table: of so many runs so many, with both intervals."""
    k, n = sum(map(holds, runs)), len(runs)
    low, high = wilson(k, n)
    a, b = by_configuration(runs, lambda rs: sum(map(holds, rs)) / max(1, len(rs)))
    return (
        f"| {name} | {k} of {n} | {k / max(1, n):.1%} | {low:.1%} to {high:.1%} | "
        f"{a:.1%} to {b:.1%} | {target} |"
    )


def main_table(every: Sequence[Judged]) -> str:
    """What the issue asks for."""
    failed = [j for j in every if j.run.state == "failed"]
    healthy = [j for j in every if j.run.state == "healthy"]
    found = [j for j in failed if j.said]
    collapsed = [j for j in failed if "mode collapse" in j.run.onsets]
    lines = [
        "| | runs | share | 95 % (Wilson) | 95 % (bootstrap over configurations) | aim |",
        "|---|---|---|---|---|---|",
        share_row("failures found", failed, lambda j: bool(j.said), "95 %"),
        share_row("first named kind is true, of all failures", failed, lambda j: j.right, "90 %"),
        share_row(
            "first named kind is true, or held when it was named", failed, lambda j: j.true_then, ""
        ),
        share_row(
            "every true kind named, of all failures",
            failed,
            lambda j: set(j.run.onsets) <= set(dict(j.said)),
            "",
        ),
        share_row("false alarms in healthy runs", healthy, lambda j: bool(j.said), "1 in 60"),
        share_row(
            "something named in runs that end healthy, recovered ones too",
            [j for j in every if j.run.state in ("healthy", "recovered")],
            lambda j: bool(j.said),
            "",
        ),
        share_row(
            "collapse named before half of the run",
            collapsed,
            lambda j: dict(j.said).get("mode collapse", LOOKS) < LOOKS / 2,
            "80 %",
        ),
    ]
    late = [d for j in found if (d := j.delay()) is not None]
    a, b = by_configuration(found, _median_delay)
    lines.append(
        f"| median delay after the onset, as a share of the run | {len(late)} | {median(late):.1%} "
        f"| | {a:.1%} to {b:.1%} | 10 % |"
    )
    return "\n".join(lines)


def _median_delay(runs: Sequence[Judged]) -> float:
    late = [d for j in runs if (d := j.delay()) is not None]
    return median(late) if late else math.nan


def kinds_table(every: Sequence[Judged]) -> str:
    """Each kind: how often it was true and named, and how often true when named."""
    lines = [
        "| kind | true | of these named | 95 % | median delay | named | of these true | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        true = [j for j in every if kind in j.run.onsets]
        named = [j for j in every if kind in dict(j.said)]
        both = [j for j in true if kind in dict(j.said)]
        late = [max(0, dict(j.said)[kind] - j.run.onsets[kind]) / LOOKS for j in both]
        low, high = wilson(len(both), len(true))
        a, b = wilson(len(both), len(named))
        delay = f"{median(late):.0%}" if late else "-"
        lines.append(
            f"| {kind} | {len(true)} | {len(both)} | {low:.0%} to {high:.0%} | {delay} | "
            f"{len(named)} | {len(both)} | {a:.0%} to {b:.0%} |"
        )
    return "\n".join(lines)


def confusion(every: Sequence[Judged]) -> str:
    """Rows: what is true; columns: what was named first."""
    columns = [*KINDS, "nothing"]
    rows: dict[str, list[Judged]] = {"healthy": [j for j in every if j.run.state == "healthy"]}
    rows["recovered"] = [j for j in every if j.run.state == "recovered"]
    rows["undecided"] = [j for j in every if j.run.state == "undecided"]
    sets = sorted({_truth(j) for j in every if j.run.state == "failed"})
    rows |= {name: [j for j in every if _truth(j) == name] for name in sets}
    lines = ["| true | runs | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for name, runs in rows.items():
        counts = [sum((j.first or "nothing") == c for j in runs) for c in columns]
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(str(c or "") for c in counts) + " |")
    return "\n".join(lines)


def _truth(j: Judged) -> str:
    return " + ".join(kind for kind in KINDS if kind in j.run.onsets)


def errors(every: Sequence[Judged]) -> str:
    """Every run of which something wrong was said, with its picture."""
    lines = ["| run | truth (onset) | said (at) | picture |", "|---|---|---|---|"]
    for j in every:
        alarm = j.run.state == "healthy" and bool(j.said)
        if not alarm and (j.run.state != "failed" or j.right):
            continue
        truth = ", ".join(f"{k} ({o / LOOKS:.0%})" for k, o in j.run.onsets.items()) or j.run.state
        said = ", ".join(f"{k} ({look / LOOKS:.0%})" for k, look in j.said) or "nothing"
        path = IMAGES / f"miss_{j.run.name}.png"
        miss(torch.load(FOLDER / f"{j.run.name}.pt", weights_only=True), j, path)
        link = f"[picture](../../docs/images/failures/{path.name})"
        lines.append(f"| {j.run.name} | {truth} | {said} | {link} |")
    return "\n".join(lines)


def seeds_rule(every: Sequence[Judged]) -> str:
    """001's rule of thumb: D fails, hence collapse; G fails, hence non-convergence."""
    lines = ["| truth | runs | D ranks under 75 % of pairs rightly at the onset |", "|---|---|---|"]
    for kind in ("mode collapse", "discriminator wins", "oscillation", "generator wins"):
        runs = [j for j in every if kind in j.run.onsets]
        weak = [j for j in runs if j.run.looks[j.run.onsets[kind]].get("right", 1.0) < 0.75]
        lines.append(f"| {kind} | {len(runs)} | {len(weak)} |")
    return "\n".join(lines)


def loss_signature(every: Sequence[Judged]) -> str:
    """What both costs do, from the young run to the end, where D wins."""
    lines = [
        "| family | runs where D wins | D's cost falls | G's cost falls | G's gradient falls |",
        "|---|---|---|---|---|",
    ]
    runs = [j for j in every if "discriminator wins" in j.run.onsets]
    for family in sorted({j.run.configuration.game.family for j in runs}):
        mine = [j.run.history for j in runs if j.run.configuration.game.family == family]
        cells = []
        for name in ("loss_discriminator", "loss_generator", "gradient"):
            ends = [(h[name][:5], h[name][-10:]) for h in mine]
            cells.append(sum(float(median(b)) < float(median(a)) for a, b in ends))
        lines.append(f"| {family} | {len(mine)} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Judge everything; write the page of results."""
    panel = monitors()
    every = [judge(run, panel) for run in recorded()]
    heldout = [j for j in every if j.run.configuration.heldout]
    tuning = [j for j in every if not j.run.configuration.heldout]
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_delays(heldout, IMAGES / "delays.png")
    images = [j for j in heldout if not j.run.points]
    points = [j for j in heldout if j.run.points]
    families = sorted({j.run.configuration.game.family for j in every})
    undecided = [j.run.name for j in heldout if j.run.state == "undecided"]
    protocol = (
        f"{len(every)} runs of {len({j.run.configuration.name for j in every})} configurations and "
        f"{len(families)} families ({', '.join(families)}), one thread each; played by "
        "`corpus.py`, labelled by the rule in `truth.py`, thresholds tuned on the other half"
    )
    parts = [
        describe("What the failure monitors find", protocol),
        f"## Held-out configurations, pooled ({len(heldout)} runs)\n\n{main_table(heldout)}",
        f"## Points only ({len(points)} runs)\n\n{main_table(points)}",
        f"## Images only ({len(images)} runs, random convolutions as features)\n\n"
        f"{main_table(images)}",
        f"## Kind by kind, held-out\n\n{kinds_table(heldout)}",
        f"## What was named first, held-out\n\n{confusion(heldout)}",
        f"## Every miss and every false alarm, held-out\n\n{errors(heldout)}",
        f"Undecided, in no figure above: {', '.join(undecided) or 'none'}.",
        f"## The half on which thresholds were tuned ({len(tuning)} runs)\n\n{main_table(tuning)}",
        f"## The sources' rule of thumb, all runs\n\n{seeds_rule(every)}",
        f"## Costs where the discriminator wins, all runs\n\n{loss_signature(every)}",
    ]
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(main_table(heldout))


if __name__ == "__main__":
    main()
