"""Games on a ring that go well, or break in ways that people meet; truth is in the set-up."""

import pytest
import torch
from support import trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.callbacks.monitors import FailureMonitors
from gan_lightning.data import GaussianRing
from gan_lightning.families import LSGAN, NonSaturatingGAN
from gan_lightning.optim import GANAdam

LATENT = 4
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Forgetful(nn.Module):
    """A generator with a bug: it takes no notice of z."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z):
        return self.network(torch.zeros_like(z))


def adam(rate):
    """Of one player."""
    return lambda params: GANAdam(params, lr=rate, beta2=0.99)


def play(family, rates=(1e-3, 1e-3), bug=nn.Identity, steps=120, every=10, seed=0, **more):
    """The monitors after so many steps, and the module."""
    torch.manual_seed(seed)
    module = family(
        bug(networks.MLPGenerator((2,), LATENT, width=64, depth=2)),
        networks.MLPDiscriminator((2,), width=64, depth=2),
        LATENT,
        generator_optimizer=adam(rates[0]),
        discriminator_optimizer=adam(rates[1]),
        **more,
    )
    monitors = FailureMonitors(every_n_steps=every)
    data = GaussianRing(std=0.05, batch_size=128, samples=20_000)
    trainer(max_steps=steps, callbacks=[monitors]).fit(module, datamodule=data)
    return monitors, module
