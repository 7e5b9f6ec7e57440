"""Two-dimensional mixtures with known modes, and a curve.

The constants are the published ones: the ring and the grid of VEEGAN (Srivastava et al. 2017) and
PacGAN (Lin et al. 2018, config.py of its code), the swiss roll of WGAN-GP (Gulrajani et al. 2017,
gan_toy.py).
"""

import math
from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from gan_lightning._seeds import mix
from gan_lightning.data.base import AbstractGANData, check_positive
from gan_lightning.data.batches import MemorySamples


def _check_number(name: str, value: float, *, zero: bool = False) -> None:
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        bound = "a finite number of at least 0" if zero else "a finite number above 0"
        raise ValueError(f"`{name}` must be {bound}, got {value!r}.")


class _AbstractToy(AbstractGANData):
    """A fixed set of points in the plane, drawn once from ``data_seed``."""

    def __init__(
        self,
        samples: int,
        batch_size: int,
        data_seed: int,
        scale: float,
        facts: dict[str, object],
    ) -> None:
        check_positive("samples", samples)
        _check_number("scale", scale)
        super().__init__((2,), None, batch_size, {**facts, "scale": scale, "data_seed": data_seed})
        self._count = samples
        self._data_seed = data_seed
        self.scale = scale

    @abstractmethod
    def draw(self, samples: int, random: torch.Generator) -> Tensor:
        """Draw points from the distribution itself, e.g. fresh ones to compare with.

        Args:
            samples: How many.
            random: Source of the randomness, on the CPU.

        Returns:
            Points of shape ``(samples, 2)``, float64.
        """

    def read(self) -> MemorySamples:
        """Draw the fixed training set (float32: nothing is lost, and every device has it)."""
        random = torch.Generator().manual_seed(mix(self._data_seed))
        return MemorySamples(self.draw(self._count, random).float())


class AbstractGaussianMixture(_AbstractToy):
    """Equally likely round Gaussians in the plane.

    Attributes:
        centres: Their means, float64, shape ``(K, 2)``, all distinct.
        std: Their standard deviation in each coordinate.
    """

    def __init__(
        self,
        centres: Tensor,
        std: float,
        samples: int,
        batch_size: int,
        data_seed: int,
        scale: float,
        facts: dict[str, object],
    ) -> None:
        _check_number("std", std, zero=True)
        super().__init__(samples, batch_size, data_seed, scale, {**facts, "std": std})
        self.centres = centres / scale
        self.std = std / scale

    def draw(self, samples: int, random: torch.Generator) -> Tensor:
        """Draw points: a component for each, then its Gaussian."""
        component = torch.randint(len(self.centres), (samples,), generator=random)
        noise = torch.randn(samples, 2, generator=random, dtype=torch.float64)
        return self.centres[component] + self.std * noise


@final
class GaussianRing(AbstractGaussianMixture):
    """Gaussians on a circle, by default the 8 of VEEGAN and PacGAN.

    The centres are ``radius * (cos 2 pi k / modes, sin 2 pi k / modes)`` for k = 0 .. modes - 1.
    Code that takes the angles from ``linspace(0, 2 pi, 8)`` (Unrolled GAN's notebook, copied by
    others) repeats the first centre at the end and has 7 modes, one of them doubled.

    Args:
        modes: Number of Gaussians.
        radius: Radius of the circle.
        std: Standard deviation of each Gaussian.
        samples: Size of the fixed training set.
        batch_size: Samples per batch and process.
        data_seed: Seed of the fixed training set; the run's seed has no part in it.
        scale: Everything, ``radius`` and ``std``, is divided by it.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        modes: int = 8,
        radius: float = 1.0,
        std: float = 0.01,
        samples: int = 100_000,
        batch_size: int = 256,
        data_seed: int = 0,
        scale: float = 1.0,
    ) -> None:
        check_positive("modes", modes)
        _check_number("radius", radius)
        _check_number("scale", scale)
        angles = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
        centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
        facts: dict[str, object] = {"modes": modes, "radius": radius}
        super().__init__(centres, std, samples, batch_size, data_seed, scale, facts)


@final
class GaussianGrid(AbstractGaussianMixture):
    """Gaussians on a square grid, by default the 25 of PacGAN at {-4, -2, 0, 2, 4}^2.

    Args:
        side: Gaussians along each side; there are ``side ** 2``.
        spacing: Distance between neighbours.
        std: Standard deviation of each Gaussian.
        samples: Size of the fixed training set.
        batch_size: Samples per batch and process.
        data_seed: Seed of the fixed training set; the run's seed has no part in it.
        scale: Everything, ``spacing`` and ``std``, is divided by it (WGAN-GP's code takes 2.828,
            which brings the default grid to unit size).

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        side: int = 5,
        spacing: float = 2.0,
        std: float = 0.05,
        samples: int = 100_000,
        batch_size: int = 256,
        data_seed: int = 0,
        scale: float = 1.0,
    ) -> None:
        check_positive("side", side)
        _check_number("spacing", spacing)
        _check_number("scale", scale)
        line = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
        facts: dict[str, object] = {"side": side, "spacing": spacing}
        centres = torch.cartesian_prod(line, line)
        super().__init__(centres, std, samples, batch_size, data_seed, scale, facts)


@final
class SwissRoll(_AbstractToy):
    """WGAN-GP's swiss roll: ``t (cos t, sin t)``, t uniform in [1.5 pi, 4.5 pi], plus noise.

    Args:
        noise: Standard deviation of the noise in each coordinate, before the division by ``scale``.
        scale: The points are divided by it.
        samples: Size of the fixed training set.
        batch_size: Samples per batch and process.
        data_seed: Seed of the fixed training set; the run's seed has no part in it.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        noise: float = 0.25,
        scale: float = 7.5,
        samples: int = 100_000,
        batch_size: int = 256,
        data_seed: int = 0,
    ) -> None:
        _check_number("noise", noise, zero=True)
        super().__init__(samples, batch_size, data_seed, scale, {"noise": noise})
        self.noise = noise

    def draw(self, samples: int, random: torch.Generator) -> Tensor:
        """Draw points: the place along the roll, then the noise."""
        t = 1.5 * math.pi * (1 + 2 * torch.rand(samples, generator=random, dtype=torch.float64))
        noise = torch.randn(samples, 2, generator=random, dtype=torch.float64)
        return (
            t[:, None] * torch.stack([t.cos(), t.sin()], dim=1) + self.noise * noise
        ) / self.scale
