"""GANs on PyTorch Lightning: failures named early, bit-exact resume, DDP equal to one process.

The families and `load` are resolved when they are first used, so that importing the package (and
``gan-lightning --help``) does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gan_lightning import _torchvision as _torchvision  # before anything can import torchvision

if TYPE_CHECKING:
    from gan_lightning.families import (
        ACGAN,
        CGAN,
        DCGAN,
        FGAN,
        LAPGAN,
        LSGAN,
        WGAN,
        WGANGP,
        BiGAN,
        CatGAN,
        HingeGAN,
        InfoGAN,
        MaximumLikelihoodGAN,
        MinimaxGAN,
        NonSaturatingGAN,
        PacGAN,
        RelativisticGAN,
        SemiSupervisedGAN,
        UnrolledGAN,
    )
    from gan_lightning.loading import load

__version__ = "0.1.0"

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "FGAN",
    "LAPGAN",
    "LSGAN",
    "WGAN",
    "WGANGP",
    "BiGAN",
    "CatGAN",
    "HingeGAN",
    "InfoGAN",
    "MaximumLikelihoodGAN",
    "MinimaxGAN",
    "NonSaturatingGAN",
    "PacGAN",
    "RelativisticGAN",
    "SemiSupervisedGAN",
    "UnrolledGAN",
    "__version__",
    "load",
]

_HOMES = {name: "gan_lightning.families" for name in __all__ if name[0].isupper()} | {
    "load": "gan_lightning.loading"
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # resolved once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
