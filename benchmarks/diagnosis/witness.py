"""Measures a run for `truth.py`, on samples and real ones that no monitor sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from games import Game, Subset, data_of
from torch import Tensor

from gan_lightning.callbacks.monitors.observation import judged
from gan_lightning.metrics.functional import frechet_distance, mode_coverage

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
