"""Histories of signals that are made up, for the tests of the monitors' rules."""

from gan_lightning.callbacks.monitors.history import History

STEPS = 10  # generator updates between two looks
GOOD = 12  # healthy looks, seven of them after the young phase

HEALTHY = {
    "finite": 1.0,
    "pairwise": 1.0,
    "duplicates": 0.02,
    "precision": 0.9,
    "recall": 0.9,
    "coverage": 0.9,
    "bins": 0.97,
    "recent_bins": 0.98,
    "moved": 0.1,
    "classes": 1.0,
    "class_pairwise": 1.0,
    "distance": 0.01,
    "change": 0.1,
    "shift": 0.03,
    "drift": 1.0,
    "turn": 0.95,
    "extent": 1.0,
    "right": 0.8,
    "logit": 1.0,
    "saturated": 0.0,
    "rhythm": 0.05,
    "phase": 0.1,
    "memory": 0.5,
    "overfit_v": 0.0,
    "overfit_t": 0.2,
    "gradient": 1.0,
    "discriminator_gradient": 1.0,
    "loss_generator": 0.7,
    "loss_discriminator": 1.4,
    "weights_generator": 0.5,
    "weights_discriminator": 0.5,
    "authentic": 1.0,
    "nearest": 1.0,
}


def made(looks, planned=None):
    """A history of such looks, each a mapping of signals."""
    history = History(STEPS, planned)
    for i, signals in enumerate(looks):
        history.add(STEPS * (i + 1), signals)
    return history


def of(planned=None, **signals):
    """A history of such curves, equally long."""
    curves = [dict(zip(signals, row, strict=True)) for row in zip(*signals.values(), strict=True)]
    return made(curves, planned)


def turned(bad, pattern, good=GOOD):
    """Healthy for some looks, then bad at those that `pattern` marks with 1 and healthy at others.

    `bad` overrides signals of health; None removes one.
    """
    looks = [HEALTHY | (bad if mark == "1" else {}) for mark in "0" * good + pattern]
    gone = {name for name, value in bad.items() if value is None}
    return made([{n: v for n, v in look.items() if n not in gone} for look in looks])


def kinds(monitor, history):
    """What it names now."""
    return [finding.kind for finding in monitor.judge(history)]


def check_timing(monitor, kind, bad):
    """Named after `patience` looks of the grown run, one dip allowed, and with its evidence."""
    wait = monitor.patience
    assert kind not in kinds(monitor, turned(bad, "1" * (wait - 1)))
    history = turned(bad, "1" * wait)
    (found,) = (f for f in monitor.judge(history) if f.kind == kind)
    assert found.since == STEPS * (GOOD + 1)
    assert found.confidence == 1.0
    assert found.evidence
    for e in found.evidence:
        assert e.value == history.last(e.signal)
        assert (e.value > e.threshold) if e.above else (e.value < e.threshold)
        assert e.was is None or e.was == HEALTHY[e.signal]

    dip = "1" * (wait - 1) + "01"
    (found,) = (f for f in monitor.judge(turned(bad, dip)) if f.kind == kind)
    assert (found.since, found.confidence) == (STEPS * (GOOD + 1), wait / (wait + 1))
    for pattern in ("1" * (wait - 1) + "001", "1" * wait + "0", "1" * 2 * wait + "00"):
        assert kind not in kinds(monitor, turned(bad, pattern))

    young = turned(bad, "1" * 40, good=0)
    assert kind not in kinds(monitor, young.until(young.young + wait - 1))
    (found,) = (f for f in monitor.judge(young.until(young.young + wait)) if f.kind == kind)
    assert found.since == STEPS * (young.young + 1)
    young.planned = STEPS * 200  # of which a tenth is young
    assert kind not in kinds(monitor, young.until(20 + wait - 1))
    assert kind in kinds(monitor, young.until(20 + wait))
