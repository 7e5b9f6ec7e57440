"""Generators and discriminators.

`dcgan`, `mlp` and `resnet` are functions that return a pair; the modules of the same names hold
their classes. So does `conditional_pair`.
"""

from gan_lightning.networks.base import Network
from gan_lightning.networks.conditional import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    LabelVector,
    ProjectionDiscriminator,
    conditional_pair,
)
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator, dcgan
from gan_lightning.networks.encoder import DCGANEncoder, JointDiscriminator, MLPEncoder
from gan_lightning.networks.laplacian import LaplacianDiscriminator, LaplacianGenerator
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator, mlp
from gan_lightning.networks.packed import Packed
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator, resnet

__all__ = [
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "JointDiscriminator",
    "LabelVector",
    "LaplacianDiscriminator",
    "LaplacianGenerator",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "Network",
    "Packed",
    "ProjectionDiscriminator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "conditional_pair",
    "dcgan",
    "mlp",
    "resnet",
]
