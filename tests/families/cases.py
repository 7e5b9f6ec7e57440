"""Every family on small networks whose samples do not see each other, for the contract tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from support import LATENT, LabelledPoints, points
from torch import nn

from gan_lightning import families, networks
from gan_lightning.data import Digits
from gan_lightning.losses.f_divergence import KullbackLeibler
from gan_lightning.networks import conditional, encoder, laplacian, packed
from gan_lightning.regularizers import R1

WIDTH = 16
Networks = Callable[[], tuple[nn.Module, ...]]


@dataclass(frozen=True)
class Case:
    """A family with networks and data.

    Attributes:
        family: The class.
        networks: Makes the generator, the discriminator and, if there is one, the encoder.
        data: Makes a data module with the given batch size and number of batches.
        shape: Shape of a sample.
        arguments: More arguments of the family.
        several_processes: Whether it must equal one process on two.
    """

    family: type
    networks: Networks
    data: Callable[[int, int], Any] = points
    shape: tuple[int, ...] = (2,)
    arguments: Any = None
    several_processes: bool = True

    def make(self, dtype: torch.dtype = torch.float64, **kwargs: Any) -> Any:
        """The family, the same one each time; `kwargs` override."""
        torch.manual_seed(0)
        names = ("generator", "discriminator", "encoder")
        built = {n: m.to(dtype) for n, m in zip(names, self.networks(), strict=False)}
        return self.family(
            **{"latent_dim": LATENT, "ema_halflife": 64.0} | built | (self.arguments or {}) | kwargs
        ).to(dtype)


def plain(**kwargs: Any) -> tuple[nn.Module, ...]:
    """Fully connected networks for points."""
    generator = networks.MLPGenerator((2,), LATENT, WIDTH, 2)
    return generator, networks.MLPDiscriminator((2,), WIDTH, 2, **kwargs)


def labelled() -> tuple[nn.Module, ...]:
    """Both networks take labels."""
    g, d = partial(networks.MLPGenerator, width=WIDTH), partial(networks.MLPDiscriminator, width=16)
    return (
        conditional.ConditionalGenerator((2,), LATENT, 3, g, embedding_dim=2),
        conditional.ConditionalDiscriminator((2,), 3, d),
    )


def projected() -> tuple[nn.Module, ...]:
    """A projection discriminator with spectral norm."""
    d = partial(networks.MLPDiscriminator, width=16, spectral_norm=True)
    return labelled()[0], conditional.ProjectionDiscriminator((2,), 3, d)


def packs() -> tuple[nn.Module, ...]:
    """D judges two samples together."""
    generator, _ = plain()
    return generator, packed.Packed(networks.MLPDiscriminator((4,), WIDTH, 2), 2)


def joint(stochastic: bool = False) -> tuple[nn.Module, ...]:
    """D judges a sample together with its code; a third network encodes."""
    generator, _ = plain()
    return (
        generator,
        encoder.JointDiscriminator((2,), LATENT, width=WIDTH),
        encoder.MLPEncoder((2,), LATENT, WIDTH, 2, stochastic=stochastic),
    )


def pyramid() -> tuple[nn.Module, ...]:
    """One generator and one discriminator for each level."""
    return (
        laplacian.LaplacianGenerator((1, 8, 8), LATENT, levels=1, width=4),
        laplacian.LaplacianDiscriminator((1, 8, 8), levels=1, width=4),
    )


def digits(batch_size: int = 8, batches: int = 11) -> Digits:
    """Images; the number of batches is the set's own."""
    return Digits(image_size=8, batch_size=batch_size)


def half_labelled(batch_size: int = 8, batches: int = 11) -> LabelledPoints:
    """Points of which every second one has a label."""
    return LabelledPoints(batch_size, batches, every=2)


LABELS = {"num_classes": 3, "conditional": True}
CLASSES = {"num_classes": 3}
CODES = {"latent_dim": 7, "categorical": [3], "continuous": 1}


def codes() -> tuple[nn.Module, ...]:
    """A generator for noise of 3, a code of 3 classes and a continuous one."""
    return networks.MLPGenerator((2,), 7, WIDTH, 2), plain()[1]


CASES = {
    "minimax": Case(families.MinimaxGAN, plain),
    "non-saturating": Case(families.NonSaturatingGAN, plain),
    "non-saturating, labels": Case(
        families.NonSaturatingGAN, labelled, LabelledPoints, (2,), LABELS
    ),
    "maximum likelihood": Case(families.MaximumLikelihoodGAN, plain),
    "dcgan": Case(
        families.DCGAN,
        tuple,
        digits,
        (1, 8, 8),
        {"image_shape": (1, 8, 8), "width": 4},
        several_processes=False,  # batch norm
    ),
    "lsgan": Case(families.LSGAN, plain),
    "wgan": Case(families.WGAN, plain, arguments={"discriminator_steps": 1}),
    "wgan-gp": Case(families.WGANGP, plain, arguments={"discriminator_steps": 1}),
    "wgan-gp, labels": Case(
        families.WGANGP, labelled, LabelledPoints, (2,), LABELS | {"discriminator_steps": 1}
    ),
    "wgan-gp, packed": Case(families.WGANGP, packs, arguments={"discriminator_steps": 1}),
    "hinge": Case(families.HingeGAN, plain),
    "hinge, projection": Case(families.HingeGAN, projected, LabelledPoints, (2,), LABELS),
    "fgan": Case(families.FGAN, plain, arguments={"divergence": KullbackLeibler()}),
    "relativistic": Case(families.RelativisticGAN, plain),
    "relativistic, averaged": Case(
        families.RelativisticGAN, plain, arguments={"averaged": True, "regularizers": [R1(0.1)]}
    ),
    "cgan": Case(families.CGAN, labelled, LabelledPoints, (2,), CLASSES),
    "acgan": Case(
        families.ACGAN, lambda: (labelled()[0], plain()[1]), LabelledPoints, (2,), CLASSES
    ),
    "infogan": Case(families.InfoGAN, codes, arguments=CODES),
    "infogan, trunk": Case(families.InfoGAN, codes, arguments=CODES | {"trunk_information": True}),
    "semi-supervised": Case(
        families.SemiSupervisedGAN, lambda: plain(outputs=3), half_labelled, (2,), CLASSES
    ),
    "catgan": Case(families.CatGAN, lambda: plain(outputs=3), half_labelled, (2,), CLASSES),
    "unrolled": Case(
        families.UnrolledGAN, plain, arguments={"unrolling": 2}, several_processes=False
    ),
    "pacgan": Case(families.PacGAN, packs),
    "bigan": Case(families.BiGAN, joint),
    "ali": Case(families.BiGAN, partial(joint, stochastic=True)),
    "lapgan": Case(families.LAPGAN, pyramid, digits, (1, 8, 8)),
}
