"""Small games that can be set up to go well or badly: what a configuration of the corpus says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gan_lightning  # noqa: F401  # before lightning

# isort: split

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR

from gan_lightning import families, networks
from gan_lightning.data import Digits, FashionMNIST, GaussianGrid, GaussianRing
from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import MemorySamples
from gan_lightning.optim import GANAdam, GANRMSProp
from gan_lightning.regularizers import R1, R2

FASHION = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
SIZE = 16  # pixels of an image's side


@dataclass(frozen=True)
class Game:
    """Everything about a run but its seed.

    Attributes:
        family: Name of the family's class.
        data: "ring", "grid", "digits" or "fashion".
        steps: Generator updates.
        lr: Learning rates of G and D.
        beta1: Of both players' Adam.
        optimizer: "adam" or "rmsprop".
        decay: Whether the rates fall to 0 along a cosine.
        width: Of G's and D's hidden layers (points) or thinnest feature maps (images).
        depth: Hidden layers of both MLPs.
        latent: Dimension of z.
        batch: Samples in a batch.
        k: Discriminator updates per generator update.
        updates: "alternating" or "simultaneous".
        gamma: Weight of R1 and, for relativistic games, R2; None has no penalty.
        pack: Samples that D judges together.
        spectral: Whether D has spectral norm (images).
        batch_norm: Whether D has batch norm (images).
        kernel: Side of the convolutions' kernels (images); 4 is DCGAN, others have plain networks
            without any normalisation.
        fault: A bug: "constant" (G forgets z), "range" (points 127.5 times too large), "growing"
            (learning rates grow instead of falling).
        limit: Only so many training samples; None takes all.
        own: Other arguments of the family.
    """

    family: str
    data: str = "ring"
    steps: int = 3000
    lr: tuple[float, float] = (1e-3, 1e-3)
    beta1: float = 0.5
    optimizer: str = "adam"
    decay: bool = True
    width: tuple[int, int] = (64, 64)
    depth: int = 2
    latent: int = 4
    batch: int = 128
    k: int = 1
    updates: str = "alternating"
    gamma: float | None = None
    pack: int = 1
    spectral: bool = False
    batch_norm: bool = True
    kernel: int = 4
    fault: str | None = None
    limit: int | None = None
    own: dict[str, Any] = field(default_factory=dict)


class Subset(AbstractGANData):
    """Some samples of another set, in a fixed order, perhaps on a wrong scale."""

    def __init__(self, whole: AbstractGANData, part: slice, batch: int, fault: str | None) -> None:
        facts: dict[str, object] = {"of": str(whole.identity["data"]), "part": str(part)}
        super().__init__(whole.image_shape, whole.num_classes, batch, facts)
        self.whole, self.part, self.fault = whole, part, fault

    def read(self) -> MemorySamples:
        """Read the whole set and take the part."""
        chunks = list(self.whole.real_chunks())
        labels = None
        if isinstance(chunks[0], Tensor):
            x = torch.cat(chunks)[self.part]
        else:
            x = torch.cat([x for x, _ in chunks])[self.part]
            labels = torch.cat([y for _, y in chunks])[self.part]
        if self.fault == "range":
            x = x * 127.5
        elif x.ndim == 4:
            x = ((x + 1) * 127.5).round().byte()
        return MemorySamples(x, labels)


class Constant(nn.Module):
    """A generator with a bug: whatever z is, it sees zeros."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        """The same sample for every z."""
        x: Tensor = self.network(torch.zeros_like(z), *labels)
        return x


def data_of(game: Game) -> tuple[AbstractGANData, AbstractGANData | None]:
    """The data to train on, and real samples that are not trained on."""
    b = game.batch
    if game.data == "ring":
        whole: AbstractGANData = GaussianRing(std=0.05, samples=20_000, batch_size=b)
        unseen: AbstractGANData = GaussianRing(std=0.05, samples=4000, batch_size=b, data_seed=1)
    elif game.data == "grid":
        grid: dict[str, Any] = {"std": 0.2, "batch_size": b, "scale": 2.828}
        whole = GaussianGrid(samples=20_000, **grid)
        unseen = GaussianGrid(samples=4000, data_seed=1, **grid)
    elif game.data == "digits":
        digits = Digits(image_size=SIZE, batch_size=b)
        whole = Subset(digits, slice(0, 1297), b, None)
        unseen = Subset(digits, slice(1297, None), b, game.fault)
    else:
        whole = FashionMNIST(FASHION, image_size=SIZE, batch_size=b)
        unseen = FashionMNIST(FASHION, image_size=SIZE, batch_size=b, split="test")
    if game.limit is not None or game.fault == "range":
        whole = Subset(whole, slice(0, game.limit), b, game.fault)
    if game.fault == "range" and game.data != "digits":
        unseen = Subset(unseen, slice(0, None), b, game.fault)
    return whole, unseen


def module_of(game: Game) -> Any:
    """The game itself."""
    g, d = _points(game) if game.data in ("ring", "grid") else _images(game)
    own = dict(game.own)
    if game.fault == "constant":
        g = Constant(g)
    if game.pack > 1:
        d = networks.Packed(d, game.pack)
    regularizers: list[Any] = [] if game.gamma is None else [R1(game.gamma)]
    if game.family == "RelativisticGAN" and game.gamma is not None:
        regularizers.append(R2(game.gamma))
    if game.fault == "growing":  # to a million times in the run
        own["generator_scheduler"] = lambda o: ExponentialLR(o, 1e6 ** (1 / game.steps))
        own["discriminator_scheduler"] = lambda o: ExponentialLR(
            o, 1e6 ** (1 / game.steps / game.k)
        )
    elif game.decay:
        own["generator_scheduler"] = lambda o: CosineAnnealingLR(o, game.steps)
        own["discriminator_scheduler"] = lambda o: CosineAnnealingLR(o, game.steps * game.k)
    if own.get("conditional") or game.family == "ACGAN":
        own["num_classes"] = 10
    return getattr(families, game.family)(
        generator=g,
        discriminator=d,
        latent_dim=game.latent,
        generator_optimizer=_optimizer(game, game.lr[0]),
        discriminator_optimizer=_optimizer(game, game.lr[1]),
        discriminator_steps=game.k,
        updates=game.updates,
        regularizers=regularizers,
        ema_halflife=10_000,
        **own,
    )


def _points(game: Game) -> tuple[nn.Module, nn.Module]:
    generator = networks.MLPGenerator((2,), game.latent, width=game.width[0], depth=game.depth)
    discriminator = networks.MLPDiscriminator(
        (2 * game.pack,), width=game.width[1], depth=game.depth
    )
    return generator, discriminator


def _images(game: Game) -> tuple[nn.Module, nn.Module]:
    shape = (1, SIZE, SIZE)
    if game.kernel != 4:
        return _plain_images(game)
    generator: nn.Module = networks.DCGANGenerator(shape, game.latent, width=game.width[0])
    discriminator: nn.Module = networks.DCGANDiscriminator(
        shape if game.pack == 1 else (game.pack, SIZE, SIZE),
        width=game.width[1],
        spectral_norm=game.spectral,
        batch_norm=game.batch_norm and not game.spectral,
    )
    return generator, discriminator


def _plain_images(game: Game) -> tuple[nn.Module, nn.Module]:
    """Convolutions of any kernel, each side halved or doubled twice, nothing normalised."""
    k, (g, d), side = game.kernel, game.width, SIZE // 4
    same = {"padding": k // 2}
    generator = nn.Sequential(
        nn.Linear(game.latent, 2 * g * side**2),
        nn.ReLU(),
        nn.Unflatten(1, (2 * g, side, side)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(2 * g, g, k, **same),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(g, 1, k, **same),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, d, k, stride=2, **same),
        nn.LeakyReLU(0.2),
        nn.Conv2d(d, 2 * d, k, stride=2, **same),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * d * side**2, 1),
    )
    return generator, discriminator


def _optimizer(game: Game, lr: float) -> Callable[[Sequence[nn.Parameter]], Any]:
    if game.optimizer == "rmsprop":
        return lambda params: GANRMSProp(params, lr=lr)
    return lambda params: GANAdam(params, lr=lr, beta1=game.beta1, beta2=0.99)
