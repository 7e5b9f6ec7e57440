"""What really happened in a run, judged from outside of the monitors.

The rule was written down before any threshold of a monitor was tuned; `report.py` tells what it
decides. At each of the 50 looks at a run the following is measured, on samples and real ones that
no monitor sees:

- points: of 2,000 samples, the modes of the known mixture that have at least a fifth of their fair
  share (of the samples of high quality, within three standard deviations of a centre), the share of
  high quality, the reverse KL of the modes' shares, each mode's share by nearest centre;
- images: of 500 samples, the classes with at least a fifth of their fair share by a support vector
  machine that was fitted to held-out images only (no network, and none of the package's
  classifiers), and the Fréchet distance to held-out images in their first 30 principal components,
  over that of the untrained generator;
- both: total variance over that of the data, whether samples and logits are finite, the median
  size of the logits, P(D ranks a held-out real above a sample), P(D ranks a training sample
  above a held-out real), the norm of G's gradient.

Quality is good when points have 90 % of the modes, a reverse KL of at most 0.25 and 35 % of high
quality, images 9 of 10 classes and a tenth of the first Fréchet distance. It is bad when points
have under 20 % of high quality or miss more than a quarter of the modes, images have fewer than 8
classes or more than 30 % of the first Fréchet distance.

A kind of failure holds at a look when

- divergence: something is not finite, the median logit is beyond 1,000, or samples are
  farther from the data's mean than 30 times the data's spread (in the quadratic mean);
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

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from games import FASHION, Game, Subset, data_of
from torch import Tensor

from gan_lightning.callbacks.monitors.observation import judged
from gan_lightning.metrics.functional import frechet_distance, mode_coverage

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
_SEED = 77


@dataclass
class Witness:
    """Measures a run; knows the data, and never what monitors say.

    Args:
        game: What is played.
    """

    game: Game

    def __post_init__(self) -> None:
        train, unseen = data_of(self.game)
        assert unseen is not None
        self.train = train
        self.points = self.game.data in ("ring", "grid")
        scale = 127.5 if self.game.fault == "range" else 1.0
        self.x_train, self.y_train = _some(train, slice(0, 1000))
        self.x_unseen, self.y_unseen = _some(unseen, slice(256, 1256))  # monitors have the first
        if self.points:
            whole = train.whole if isinstance(train, Subset) else train
            self.centres, self.std = whole.centres * scale, whole.std * scale  # type: ignore[attr-defined]
        self.variance = float(self.x_unseen.double().var(0).sum())
        self.spread = math.sqrt(self.variance)
        self.first = math.nan  # the untrained generator's Fréchet distance
        self.mean: Tensor | None = None
        self.shares: Tensor | None = None

    def look(self, module: Any) -> dict[str, float]:
        """Measure now; names and numbers."""
        n = 2000 if self.points else 500
        labels = torch.arange(n) % 10 if module.conditional else None
        z = module.latent(n, seed=_SEED + module.global_step)
        found: dict[str, float] = {}
        with torch.no_grad():
            module.generator.eval()
            parts = [
                module.generate(module.generator, *pair).float()
                for pair in zip(
                    z.float().split(250),
                    [None] * (n // 250) if labels is None else labels.split(250),
                    strict=True,
                )
            ]
            module.generator.train()
        x = torch.cat(parts)
        finite = bool(x.isfinite().all())
        found["finite"] = float(finite)
        if not finite:
            return found
        found |= self._logits(module, x, labels)
        found["variance"] = float(x.double().var(0).sum()) / self.variance
        found |= self._of_points(x) if self.points else self._of_images(x)
        mean = x.double().mean(0)
        if self.mean is not None:
            found["shift"] = float((mean - self.mean).norm()) / self.spread
        self.mean = mean
        gradient = module.trainer.callback_metrics.get("grad_norm/generator")
        if gradient is not None:
            found["gradient"] = float(gradient)
        return found

    def _logits(self, module: Any, x: Tensor, labels: Tensor | None) -> dict[str, float]:
        m = min(1000, len(x))
        fake = judged(module, x[:m], None if labels is None else labels[:m])
        given = module.conditional
        unseen = judged(module, self.x_unseen, self.y_unseen if given else None)
        train = judged(module, self.x_train, self.y_train if given else None)
        every = torch.cat([fake, unseen, train])
        return {
            "finite": float(bool(every.isfinite().all())),
            "logit": float(every.abs().median()),
            "right": above(unseen, fake),
            "memory": above(train, unseen),
        }

    def _of_points(self, x: Tensor) -> dict[str, float]:
        coverage = mode_coverage(x, self.centres, self.std)
        shares = coverage.counts / max(1, int(coverage.counts.sum()))
        nearest = torch.cdist(x.double(), self.centres).argmin(1)
        return {
            "modes": float((shares >= 0.2 / len(shares)).double().mean()),
            "good": coverage.high_quality,
            "kl": min(coverage.reverse_kl, 99.0),
            **self._moved(torch.bincount(nearest, minlength=len(shares)) / len(x)),
        }

    def _of_images(self, x: Tensor) -> dict[str, float]:
        judge = classifier(self.game.data)
        classes = judge.classes(x)
        shares = torch.bincount(classes, minlength=10) / len(x)
        distance = judge.distance(x)
        if math.isnan(self.first):
            self.first = distance
        return {
            "modes": float((shares >= 0.02).double().mean()),
            "distance": distance / self.first,
            **self._moved(shares),
        }

    def _moved(self, shares: Tensor) -> dict[str, float]:
        moved = {}
        if self.shares is not None:
            moved["moved"] = float((shares - self.shares).abs().sum()) / 2
        self.shares = shares
        return moved


class Classifier:
    """A support vector machine and principal components of held-out images only."""

    def __init__(self, data: str) -> None:
        from sklearn.svm import SVC

        game = Game("NonSaturatingGAN", data=data, batch=32)
        _, unseen = data_of(game)
        assert unseen is not None
        x, y = _some(unseen, slice(0, 3000))
        flat = x.flatten(1).double()
        self.machine = SVC(C=10.0).fit(flat.numpy(), y.numpy())  # type: ignore[union-attr]
        self.mean = flat.mean(0)
        self.axes = torch.linalg.svd(flat - self.mean, full_matrices=False)[2][:30]
        self.real = (flat - self.mean) @ self.axes.T

    def classes(self, x: Tensor) -> Tensor:
        """The class of each image, `(N,)`."""
        return torch.from_numpy(self.machine.predict(x.flatten(1).double().numpy()))

    def distance(self, x: Tensor) -> float:
        """Fréchet distance to the held-out images."""
        return float(frechet_distance(self.real, (x.flatten(1).double() - self.mean) @ self.axes.T))


@cache
def classifier(data: str) -> Classifier:
    """The judge of a set of images."""
    return Classifier(data)


def above(a: Tensor, b: Tensor) -> float:
    """P(a > b), ties counted half: the area under the ROC curve."""
    a, b = a.double(), b.double().sort().values
    below = torch.searchsorted(b, a, right=False) + torch.searchsorted(b, a, right=True)
    return float(below.double().mean()) / (2 * len(b))


def _some(data: Any, part: slice) -> tuple[Tensor, Tensor | None]:
    chunks = list(data.real_chunks())
    if isinstance(chunks[0], Tensor):
        return torch.cat(chunks)[part].float(), None
    return torch.cat([x for x, _ in chunks])[part].float(), torch.cat([y for _, y in chunks])[part]


def add_later(
    looks: list[dict[str, float]], samples: list[Tensor], real: Tensor, game: Game
) -> None:
    """What needs several looks, or recorded samples: "turn", "far", "drift", for points "near".

    Args:
        looks: Of the witness; changed in place.
        samples: As many sets of recorded samples.
        real: Training samples.
        game: What was played.
    """
    reals = real.flatten(1).double()
    centre, spread = reals.mean(0), float(reals.var(0).sum().sqrt())
    means = [x.double().flatten(1).mean(0) for x in samples]
    train, _ = data_of(game)
    whole: Any = train.whole if isinstance(train, Subset) else train
    scale = 127.5 if game.fault == "range" else 1.0
    for i, (look, x) in enumerate(zip(looks, samples, strict=True)):
        steps = [float((b - a).norm()) for a, b in pairwise(means[max(0, i - 4) : i + 1])]
        if len(steps) == 4 and 0 < sum(steps) < math.inf:
            look["turn"] = float((means[i] - means[i - 4]).norm()) / sum(steps)
        drift = (x.double() - samples[0].double()).flatten(1).norm(dim=1).mean()
        look["drift"] = float(drift) / spread
        look["far"] = float((x.flatten(1).double() - centre).square().sum(1).mean().sqrt()) / spread
        if game.data in ("ring", "grid") and bool(x.isfinite().all()):
            centres = whole.centres * scale
            counts = torch.bincount(torch.cdist(x.double(), centres).argmin(1))
            fair = len(x) / len(centres)
            look["near"] = float((counts >= 0.2 * fair).sum()) / len(centres)


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
    """What a run is, "healthy", "recovered", "failed" or "undecided", and the onset (a look) of each kind."""
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


def fashion_is_there() -> bool:
    """Whether the images of Fashion-MNIST can be read."""
    from pathlib import Path

    return Path(FASHION).is_dir()
