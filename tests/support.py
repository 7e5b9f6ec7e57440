"""Small games and trainers that several tests use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import DummyLogger
from torch import Tensor, nn

from gan_lightning import networks
from gan_lightning.data import GaussianRing
from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import MemorySamples

LATENT = 4


def points(batch_size: int = 8, batches: int = 11) -> GaussianRing:
    """A ring of Gaussians with `batches` batches an epoch and some samples over."""
    return GaussianRing(samples=batch_size * batches + 3, batch_size=batch_size)


def mlp_game(
    family: Any, *, seed: int = 0, dtype: torch.dtype = torch.float64, **kwargs: Any
) -> Any:
    """A family on small networks without normalisation."""
    torch.manual_seed(seed)
    generator, discriminator = networks.mlp((2,), LATENT, width=16, depth=2)
    return family(generator.to(dtype), discriminator.to(dtype), LATENT, **kwargs)


def trainer(**kwargs: Any) -> lightning.Trainer:
    """A quiet trainer on one CPU; takes `max_steps` or `max_epochs`."""
    kwargs = {"max_epochs": -1, "logger": False, "log_every_n_steps": 1} | kwargs
    kwargs.setdefault(
        "enable_checkpointing", any(_is_checkpoint(c) for c in kwargs.get("callbacks", []))
    )
    return lightning.Trainer(
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **kwargs,
    )


def _is_checkpoint(callback: Any) -> bool:
    return isinstance(callback, lightning.pytorch.callbacks.Checkpoint)


class LabelledPoints(AbstractGANData):
    """Three clusters on a line, labelled; where `every` is 2, every second label is missing."""

    def __init__(self, batch_size: int = 8, batches: int = 11, every: int = 1) -> None:
        super().__init__((2,), 3, batch_size, {})
        self._count = batch_size * batches + 3
        self._every = every

    def read(self) -> MemorySamples:
        random = torch.Generator().manual_seed(0)
        labels = torch.arange(self._count) % 3
        noise = torch.randn(self._count, 2, generator=random)
        x = labels[:, None] - 1 + 0.1 * noise
        labels[torch.arange(self._count) % self._every != 0] = -1
        return MemorySamples(x, labels)


class Rows(DummyLogger):
    """Keeps what a logger is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((step, dict(metrics)))


class Turns(Callback):
    """Where all parameters are, and who has a gradient, whenever a player is about to move."""

    def __init__(self) -> None:
        self.places: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, bool]] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        """Before each player's update."""
        self.places.append(self._of(module))
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self.gradients.append(
            {n: p.grad is not None for n, p in module.named_parameters() if id(p) in own}
        )

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """After the last update."""
        self.places.append(self._of(module))

    def _of(self, module: Any) -> dict[str, Tensor]:
        named = module.named_parameters()
        return {n: p.detach().clone() for n, p in named if "_ema." not in n}

    def check(self, discriminator_steps: int) -> None:
        """One step: D's turns, then G's; the one who waits stays put bit by bit."""
        turns = [set(gradients) for gradients in self.gradients]
        assert len(turns) == discriminator_steps + 1
        assert all(turn == turns[0] for turn in turns[:-1])
        assert turns[0] | turns[-1] == set(self.places[0])
        assert not turns[0] & turns[-1]
        pairs = zip(turns, self.gradients, self.places, self.places[1:], strict=False)
        for player, gradients, before, after in pairs:
            assert [name for name, there in gradients.items() if not there] == []
            moved = {name for name in before if not torch.equal(before[name], after[name])}
            assert moved <= player
            assert moved


class Repeated:
    """The same batch again and again, `batches` times an epoch."""

    def __init__(self, batch: Any, batches: int = 1000) -> None:
        self.batch = batch
        self.batches = batches

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.batches):
            yield self.batch


class DiracGenerator(nn.Module):
    """G(z) = theta: all of its samples are one point (Mescheder et al. 2018)."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


class DiracDiscriminator(nn.Module):
    """D(x) = psi x."""

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([psi], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.psi


def load(path: str | Path) -> dict[str, Any]:
    """A checkpoint, as weights only."""
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    return checkpoint


def differences(a: Any, b: Any, name: str = "") -> list[str]:
    """The names of all leaves in which two nested structures are not exactly equal."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [name]
    if isinstance(a, dict) and isinstance(b, dict):
        keys = list(dict.fromkeys([*a, *b]))
        missing = [f"{name}/{k}" for k in keys if (k in a) != (k in b)]
        return missing + [
            d for k in keys if k in a and k in b for d in differences(a[k], b[k], f"{name}/{k}")
        ]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [
            d
            for i, (x, y) in enumerate(zip(a, b, strict=True))
            for d in differences(x, y, f"{name}/{i}")
        ]
    return [] if a == b else [name]


def state_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What must be equal between two runs: everything but Lightning's own loop counters."""
    keys = ("state_dict", "optimizer_states", "lr_schedulers", "gan_lightning", "global_step")
    return {k: checkpoint[k] for k in keys} | {
        k: v for k, v in checkpoint.items() if "Precision" in k
    }
