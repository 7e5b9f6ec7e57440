"""Real samples as LightningDataModules: toy mixtures, digits, MNIST-like sets, image folders."""

# isort: split
from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import Batch, Batches, BatchOrder
from gan_lightning.data.cifar import CIFAR10, CIFAR100
from gan_lightning.data.digits import Digits
from gan_lightning.data.folders import CelebA, ImageFolder
from gan_lightning.data.lsun import LSUN
from gan_lightning.data.mnist import KMNIST, MNIST, FashionMNIST
from gan_lightning.data.semi_supervised import SemiSupervised
from gan_lightning.data.svhn import SVHN
from gan_lightning.data.toy import GaussianGrid, GaussianRing, SwissRoll

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "LSUN",
    "MNIST",
    "SVHN",
    "AbstractGANData",
    "Batch",
    "BatchOrder",
    "Batches",
    "CelebA",
    "Digits",
    "FashionMNIST",
    "GaussianGrid",
    "GaussianRing",
    "ImageFolder",
    "SemiSupervised",
    "SwissRoll",
]
