"""What really happened in a run, judged from outside of the monitors.

A first version was written before there was any rule of a monitor; it was amended seven times, see
below. `report.py` tells what it decides. At each of the 50 looks at a run `witness.py` measures, on
samples and real ones of its own:

- points: of 2,000 samples, the modes of the known mixture that have at least a fifth of their fair
  share (of the samples of high quality, within three standard deviations of a centre), the share of
  high quality, the reverse KL of the modes' shares, each mode's share by nearest centre;
- images: of 500 samples, the classes with at least a fifth of their fair share by a support vector
  machine that was fitted to held-out images only (no network, and none of the package's
  classifiers), and the Fréchet distance to held-out images in their first 30 principal components,
  over that of the untrained generator;
- both: total variance over that of the data, whether samples and logits are finite, the median
  size of the logits, P(D ranks a held-out real above a sample), P(D ranks a training sample
  above a held-out real);
- on the 256 recorded samples of the same z at every look, which the monitors see too: how far they
  lie from the data's mean ("far") and from those of the first look ("drift"), how straight the way
  of their mean was over five looks ("turn"; with fewer looks it counts as having come back), and
  near which centres they lie ("near").

Quality is good when points have 90 % of the modes, a reverse KL of at most 0.25 and 35 % of high
quality, images 9 of 10 classes and a tenth of the first Fréchet distance. It is bad when points
have under 20 % of high quality or miss more than a quarter of the modes, images have fewer than 8
classes or more than 30 % of the first Fréchet distance.

A kind of failure holds at a look when

- divergence: something is not finite, the median logit is beyond 1,000, or samples are
  farther from the data's mean than 32 times the data's spread (in the quadratic mean);
- mode collapse: the variance is under 5 % of the data's, or points lie near at most half of the
  centres (a fifth of the fair share by nearest centre, whatever their quality) and yet D ranks
  under 90 % of pairs rightly, or at most three quarters of the modes (or 7 of 10 classes) are there
  though at least 30 % of the points are of high quality (the images' Fréchet distance is under 60 %
  of the first);
- discriminator wins: quality is bad and D ranks at least 97 % of pairs rightly;
- generator wins: quality is bad and D ranks at most 65 % of pairs rightly;
- oscillation: quality is bad, and between this look and the one before either the shares of
  modes (classes) have moved by 0.4 in total variation, or the mean sample by 40 % of the data's
  spread; and over the last five looks the mean sample has come back a quarter of its way;
- overfitting: D ranks a training sample above a held-out real in at least 65 % of pairs;
- no progress: quality is bad, and samples of the same z have changed by less than 20 % of the
  data's spread since the first look.

A run has failed in a kind when it holds in at least 70 % of the last 30 % of the looks (for
oscillation 50 %, since a turn has its still points; for divergence at the last one). Its onset is
the first look, not before a tenth of the run, from which on it holds in at least 70 % of the looks
to the end (50 % for oscillation). A run may have failed in several kinds. A run is healthy
when no kind has failed and quality is good in at least 80 % of the last 20 % of the looks.
It has recovered when it ends so, but a kind held at five looks on end after the first tenth
of the run. What is neither is undecided. Recovered and undecided runs are counted, and left out of
both.

Three things were amended after a look at the labels of the first seed's runs, before there was any
rule of a monitor: points near few centres, but too far for high quality, were no collapse; a D that
ranks most samples above real ones had not lost; samples that fly off were called an oscillation.
Three more after the first trials of the rules on the tuning half: samples that fly off all together
were no divergence, because their variance stays small; points near few centres were called a
collapse also where D had won; a generator that had never moved was called collapsed only, and "no
progress" was what had no other name. And a last one when false alarms were looked at on the tuning
half: runs that had failed for a tenth of their length and recovered were called healthy. The report
also gives the false alarms among all runs that end healthy, whatever happened before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

KINDS = (
    "mode collapse",
    "discriminator wins",
    "generator wins",
    "oscillation",
    "divergence",
    "overfitting",
    "no progress",
)
_EARLY, _LATE, _LAST = 0.1, 0.7, 0.8  # parts of a run
_HOLDS = {"oscillation": 0.5}
_STRETCH = 5  # looks


def holding(looks: list[Mapping[str, float]], points: bool) -> dict[str, np.ndarray]:
    """At which looks each kind of failure holds, and at which quality is good ("good")."""
    found: dict[str, list[bool]] = {kind: [] for kind in (*KINDS, "good")}
    for look in looks:
        now = dict.fromkeys(found, False)
        diverged = not look["finite"] or max(look["logit"], look.get("far", 0.0) ** 2) > 1000
        now["divergence"] = diverged
        if look["finite"]:
            good, bad, collapsed = _quality(look, points)
            moved = look.get("moved", 0.0) >= 0.4 or look.get("shift", 0.0) >= 0.4
            now["good"] = good and not diverged
            now["mode collapse"] = collapsed
            now["discriminator wins"] = bad and look["right"] >= 0.97
            now["generator wins"] = bad and look["right"] <= 0.65
            now["oscillation"] = bad and moved and look.get("turn", 0.0) <= 0.75
            now["overfitting"] = look["memory"] >= 0.65
            now["no progress"] = bad and look.get("drift", 1.0) < 0.2
        for kind, holds in now.items():
            found[kind].append(holds)
    return {kind: np.array(holds) for kind, holds in found.items()}


def _quality(look: Mapping[str, float], points: bool) -> tuple[bool, bool, bool]:
    """Whether it is good, whether it is bad, and whether modes are missing."""
    alike = look["variance"] < 0.05
    if points:
        good = look["modes"] >= 0.9 and look["kl"] <= 0.25 and look["good"] >= 0.35
        bad = look["good"] < 0.2 or look["modes"] < 0.75
        near = look.get("near", 1.0) <= 0.5 and look["right"] < 0.9
        collapsed = alike or near or (look["modes"] <= 0.75 and look["good"] >= 0.3)
    else:
        good = look["modes"] >= 0.9 and look["distance"] <= 0.1
        bad = look["modes"] < 0.8 or look["distance"] > 0.3
        collapsed = alike or (look["modes"] <= 0.7 and look["distance"] < 0.6)
    return good, bad, collapsed


def decide(looks: list[Mapping[str, float]], points: bool) -> tuple[str, dict[str, int]]:
    """What a run is, and the look at which each kind began.

    Returns:
        "healthy", "recovered", "failed" or "undecided", and the onsets of a failed run.
    """
    holds = holding(looks, points)
    n = len(looks)
    onsets: dict[str, int] = {}
    for kind in KINDS:
        share = _HOLDS.get(kind, 0.7)
        window = holds[kind][-1:] if kind == "divergence" else holds[kind][int(_LATE * n) :]
        if window.mean() >= share:
            onsets[kind] = _onset(holds[kind], share)
    if onsets:
        return "failed", onsets
    if holds["good"][int(_LAST * n) :].mean() < 0.8:
        return "undecided", {}
    ill = any(_on_end(holds[kind][int(_EARLY * n) :]) >= _STRETCH for kind in KINDS)
    return ("recovered" if ill else "healthy"), {}


def _on_end(holds: np.ndarray) -> int:
    """The longest stretch of looks at which it holds."""
    longest = now = 0
    for hold in holds:
        now = now + 1 if hold else 0
        longest = max(longest, now)
    return longest


def _onset(holds: np.ndarray, share: float) -> int:
    """The first look, not before a tenth of the run, from which on it holds nearly always."""
    for i in range(int(_EARLY * len(holds)), len(holds)):
        if holds[i] and holds[i:].mean() >= share:
            return i
    return len(holds) - 1
