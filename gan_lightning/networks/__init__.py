"""Generators and discriminators.

`dcgan` and `mlp` are functions that return a pair; the modules of the same names hold their
classes.
"""

from gan_lightning.networks.base import Network
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator, dcgan
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator, mlp

__all__ = [
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Network",
    "dcgan",
    "mlp",
]
