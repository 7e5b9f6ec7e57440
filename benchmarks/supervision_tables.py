"""The table of `supervision.py`."""

from __future__ import annotations

from statistics import mean

from statistics_of_runs import difference, interval, with_interval, with_spread

Runs = dict[str, list[dict[str, float] | None]]
CONTROLS = {
    "CGAN": "NonSaturatingGAN",
    "ACGAN": "NonSaturatingGAN",
    "SemiSupervisedGAN, all labels": "SemiSupervisedGAN, no labels",
    "SemiSupervisedGAN, no labels": "NonSaturatingGAN",
}


def table(results: Runs, facts: dict[str, float], steps: int) -> str:
    """One line a family; the difference to its control says what labels do."""
    good = {name: [run for run in runs if run is not None] for name, runs in results.items()}
    lines = [
        "| family | runs (failed) | Fréchet distance to the test images, mean ± sd | 95 % interval "
        "of the mean | difference to its control, 95 % interval | KL of the class shares (nats) "
        "| share with the class asked for | seconds of training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in good.items():
        distances = [run["distance"] for run in runs]
        every = len(results[name])
        cells = [name, f"{every} ({every - len(runs)})", with_spread(distances, 3)]
        cells.append(with_interval(interval(distances), 3) if distances else "-")
        cells.append(_against(name, distances, good))
        for key, digits in (("kl", 4), ("agreement", 3), ("seconds", 0)):
            cells.append(with_spread([run[key] for run in runs if key in run], digits))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _notes(good, facts, steps)])


def _against(name: str, distances: list[float], good: dict[str, list[dict[str, float]]]) -> str:
    control = CONTROLS.get(name, "")
    others = [run["distance"] for run in good.get(control, [])]
    if not distances or not others:
        return "-"
    return f"{with_interval(difference(distances, others), 3)}, to {control}"


def _notes(good: dict[str, list[dict[str, float]]], facts: dict[str, float], steps: int) -> str:
    floors = [value for name, value in facts.items() if name.startswith("floor")]
    resampled = [run["resampled"] for runs in good.values() for run in runs]
    noise = f"{mean(resampled):.3f}" if resampled else "-"
    return (
        f"{steps} updates of each player a run. The floor: {len(floors)} sets of 10,000 training "
        f"images reach {with_spread(floors, 3)} (the classifier has seen those and not the test "
        f"images). Its accuracy on the test images: {facts['accuracy']:.3f}. Intervals: Student's "
        "and Welch's over the seeds. Drawing one run's 10,000 samples again moves its distance by "
        f"{noise} (bootstrap, standard deviation): what the sample leaves open. Conditional "
        "generators are asked for equally many samples of each class, as the test images have "
        "them: others have to get the shares right by themselves (KL to equal shares, by the "
        "classifier). Seconds are on one thread beside another run."
    )
