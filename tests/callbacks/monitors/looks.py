"""Observations for the tests of signals."""

import math

import lightning
import torch

from gan_lightning.callbacks.monitors.observation import Observation


def seen(samples, **more):
    """An observation of samples."""
    return Observation(step=1, samples=samples, **more)


def ring(n, seed=0, modes=range(8), std=0.01):
    """Samples of some of eight modes on a circle of radius 2, in turn."""
    random = torch.Generator().manual_seed(seed)
    mode = torch.tensor(list(modes))[torch.arange(n) % len(modes)]
    angle = mode * math.pi / 4
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    return centres + std * torch.randn(n, 2, generator=random)


def images(n, shape, seed=0):
    """Noise, uniform in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=random) * 2 - 1


class Unseen(lightning.LightningDataModule):
    """The samples of a data module, moved a little: none of them is a training sample."""

    def __init__(self, data):
        super().__init__()
        self.data, self.samples, self.image_shape = data, data.samples, data.image_shape
        self.identity = {"data": "unseen"}

    def real_chunks(self, number=None, size=250, rank=0, world_size=1):
        for batch in self.data.real_chunks(number, size, rank, world_size):
            yield 0.99 * batch if torch.is_tensor(batch) else (0.99 * batch[0], batch[1])
