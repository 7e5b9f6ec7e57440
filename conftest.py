"""Fixtures of the whole suite, doctests in the package included (hence at the root)."""

import os
from collections.abc import Iterator

import pytest
import torch

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

torch.set_num_threads(1)  # sums in one order on every machine, and no fight between test processes


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the tester's cache, and nothing left in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _restored_global_seed() -> Iterator[None]:
    """Undo `lightning.seed_everything`, which leaves its seed in the environment."""
    names = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")
    before = {name: os.environ.get(name) for name in names}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
