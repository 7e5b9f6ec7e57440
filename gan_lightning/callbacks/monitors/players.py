"""Signals of the players themselves: costs, logits, gradients and weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from gan_lightning.callbacks.monitors.observation import Observation

__all__ = ["above", "of_players", "phase", "rhythm", "rotation"]

_SATURATED = 5.0  # a sigmoid of it is within 0.7 % of 1
_POINTS = 256  # of a cost's curve
_FEWEST = 32


def of_players(seen: Observation) -> dict[str, float]:
    """What an observation tells without its samples; what is missing in it is left out."""
    found = {f"weights_{player}": value for player, value in seen.weights.items()}
    for player, losses in seen.losses.items():
        found[f"loss_{player}"] = float(losses.double().mean())
        broken = (~losses.isfinite()).nonzero()
        # What was before the first cost that is kept is only known of a run's first look.
        known = len(broken) and (int(broken[0]) > 0 or seen.step == len(losses))
        if known and player == "generator":
            found["last_good"] = float(seen.step - len(losses) + int(broken[0]))
    names = {"grad_norm/generator": "gradient", "grad_norm/discriminator": "discriminator_gradient"}
    for row, name in names.items():
        values = [r[row] for r in seen.rows if row in r]
        if values:
            found[name] = sum(values) / len(values)
    return found | _of_logits(seen.logits)


def _of_logits(logits: Mapping[str, Tensor]) -> dict[str, float]:
    found = {}
    finite = {name: x for name, x in logits.items() if len(x) and bool(x.isfinite().all())}
    if finite:
        every = torch.cat(list(finite.values()))
        # Not their size: a critic's logits have no zero, and may drift.
        found["logit"] = float((every - every.median()).abs().median())
        found["saturated"] = float((every.abs() > _SATURATED).double().mean())
    if "real" in finite:
        found["overfit_t"] = float(logits["real"].sign().mean())
    if {"real", "fake"} <= finite.keys():
        found["right"] = above(logits["real"], logits["fake"])
    if {"real", "heldout"} <= finite.keys():
        found["memory"] = above(logits["real"], logits["heldout"])
    if {"real", "fake", "heldout"} <= finite.keys():
        real, fake, unseen = (float(logits[k].double().mean()) for k in ("real", "fake", "heldout"))
        if real != fake:
            found["overfit_v"] = (real - unseen) / (real - fake)
    return found


def above(a: Tensor, b: Tensor) -> float:
    """P(a > b) over all pairs, ties counted half: the area under the ROC curve.

    Args:
        a: `(n,)`.
        b: `(m,)`.
    """
    a, b = a.double(), b.double().sort().values
    below = torch.searchsorted(b, a, right=False) + torch.searchsorted(b, a, right=True)
    return float(below.double().mean()) / (2 * len(b))


def rotation(looks: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """Rhythm of G's cost and phase of the two costs over some looks; nothing of short curves.

    Args:
        looks: Each player's costs between two looks, oldest first.
    """
    curves, looks = {}, list(looks)
    for player in ("generator", "discriminator"):
        parts = [look[player] for look in looks if player in look]
        curves[player] = torch.cat(parts).double() if parts else torch.empty(0)
    points = min(_POINTS, *map(len, curves.values()))
    if points < _FEWEST or not all(bool(curve.isfinite().all()) for curve in curves.values()):
        return {}
    g, d = (_thinned(curves[player], points) for player in ("generator", "discriminator"))
    return {"rhythm": rhythm(g), "phase": phase(g, d)}


def rhythm(curve: Tensor) -> float:
    """How periodic a curve is: the highest autocorrelation past its first zero.

    Args:
        curve: `(n,)`, at least a few values.

    Returns:
        In [-1, 1]; 1 for a sinusoid of many turns (less by the part of the curve that a lag
        loses), little for noise, 0 for a constant or one that never comes back.
    """
    x = curve.double() - curve.double().mean()
    power = float((x * x).sum())
    if power == 0.0:
        return 0.0
    spectrum = torch.fft.rfft(x, n=2 * len(x))
    correlation = torch.fft.irfft(spectrum * spectrum.conj(), n=2 * len(x))[: len(x) // 2]
    correlation = correlation / power
    negative = (correlation < 0).nonzero()
    return float(correlation[int(negative[0]) :].max()) if len(negative) else 0.0


def phase(a: Tensor, b: Tensor) -> float:
    """By which part of a turn curve `a` runs behind curve `b`, at the strongest frequency of both.

    Args:
        a: `(n,)`.
        b: `(n,)`.

    Returns:
        In (-0.5, 0.5]; 0.25 is a quarter turn, as of players that circle around each other.
    """
    cross = torch.fft.rfft(a.double() - a.double().mean()).conj() * torch.fft.rfft(
        b.double() - b.double().mean()
    )
    strongest = cross[1:][int(cross[1:].abs().argmax())]
    return float(strongest.angle()) / (2 * torch.pi)


def _thinned(curve: Tensor, points: int) -> Tensor:
    """Means of so many parts, equally long up to a value: curves of one span stay side by side."""
    return torch.stack([part.mean() for part in curve.tensor_split(points)])
