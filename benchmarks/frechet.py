"""A Fréchet distance in the features of a small classifier: `supervision.py`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_lightning.runs import write_atomically

FEATURES = 64
_BATCH = 500


class Classifier(nn.Module):
    """Three strided convolutions, a layer of 64 features, and the classes."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels, 32), (32, 64), (64, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        side = -(-size // 8)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * side**2, FEATURES))
        self.logits = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(N, 64)`, before a nonlinearity, and class logits `(N, classes)`."""
        features = self.body(x)
        return features, self.logits(torch.relu(features))


def fit(x: Tensor, labels: Tensor, epochs: int, seed: int = 0) -> Classifier:
    """A classifier of images `(N, C, S, S)` in [-1, 1]."""
    torch.manual_seed(seed)
    network = Classifier(x.shape[1], x.shape[2], int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    size = 128
    steps = epochs * (len(x) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(size)[: len(x) // size]:
            loss = cross_entropy(network(x[rows])[1], labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def cached(file: Path, x: Tensor, labels: Tensor, epochs: int) -> Classifier:
    """The classifier in a file, or a new one, which is put there."""
    if not file.exists():
        save(file, fit(x, labels, epochs).state_dict())
    network = Classifier(x.shape[1], x.shape[2], int(labels.max()) + 1)
    network.load_state_dict(torch.load(file, weights_only=True))
    return network.eval()


def save(file: Path, content: dict[str, Any]) -> None:
    """Write a file of tensors whole or not at all."""
    data = io.BytesIO()
    torch.save(content, data)
    write_atomically(file, data.getvalue())


class Seen(NamedTuple):
    """What the classifier makes of images."""

    features: Tensor  # (N, 64), float64
    classes: Tensor  # (N,)


def look(network: Classifier, x: Tensor) -> Seen:
    """Features and most probable classes of images."""
    with torch.no_grad():
        parts = [network(chunk.float()) for chunk in x.split(_BATCH)]
    features, logits = (torch.cat(list(p)) for p in zip(*parts, strict=True))
    return Seen(features.double(), logits.argmax(1))


def distance(a: Tensor, b: Tensor) -> float:
    r"""Fréchet distance of the normal distributions with the moments of two sets of features.

    .. math:: |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2})

    The trace of the last root is a sum of singular values: that of :math:`C_a^{1/2} C_b^{1/2}`.

    Args:
        a: `(N, d)`, in float64.
        b: `(M, d)`.
    """
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    spread = root_a.square().sum() + root_b.square().sum()
    cross = torch.linalg.svdvals(root_a @ root_b).sum()
    return float((mean_a - mean_b).square().sum() + spread - 2 * cross)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and the symmetric root of the covariance."""
    values, vectors = torch.linalg.eigh(torch.cov(x.T).reshape(x.shape[1], x.shape[1]))
    return x.mean(0), (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def resampled(a: Tensor, b: Tensor, times: int = 50, seed: int = 0) -> float:
    """Standard deviation of the distance when a is drawn again from itself, with replacement."""
    random = torch.Generator().manual_seed(seed)
    rows = (torch.randint(len(a), (len(a),), generator=random) for _ in range(times))
    return float(torch.tensor([distance(a[row], b) for row in rows], dtype=torch.float64).std())
