"""Statistics of real samples on disk: computed once for a data set and an extractor."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

__all__ = ["RealCache", "cache_folder", "digest"]


def cache_folder() -> Path:
    """Where this package keeps what it can make or fetch again.

    Returns:
        ``$GAN_LIGHTNING_CACHE``, else ``gan_lightning`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if own := os.environ.get("GAN_LIGHTNING_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lightning"


def digest(samples: Tensor) -> str:
    """A digest of samples, bit by bit.

    Args:
        samples: Of any shape.

    Returns:
        16 hexadecimal digits of a SHA-256.
    """
    raw = samples.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{tuple(samples.shape)}".encode() + raw).hexdigest()[:16]


class RealCache:
    """A folder of safetensors files, each under the fingerprint of what it was computed from.

    The fingerprint (data set, split, number, the first samples' digest, extractor, resize mode,
    digest of the weights) is written into the file and compared when it is read, and so is what
    the extractor makes of a few samples: neither other pixels under old names nor another network
    with old weights are taken for the same. A file that cannot be read is as good as
    none; one that cannot be written is warned of, and costs nothing but time.

    Args:
        folder: Where; None takes ``real`` in the package's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() / "real" if folder is None else folder

    def path(self, fingerprint: str) -> Path:
        """The file of a fingerprint."""
        return self.folder / f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:24]}.safetensors"

    def read(
        self, fingerprint: str, probe: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor] | None:
        """What was written under a fingerprint.

        Args:
            fingerprint: What the statistics were computed from, in words.
            probe: Tensors that must be there too, up to rounding.

        Returns:
            Tensors by name; None where there are none, they were computed otherwise, or a file is
            damaged.
        """
        file = self.path(fingerprint)
        if not file.is_file():
            return None
        try:
            with safe_open(file, framework="pt") as content:
                if (content.metadata() or {}).get("fingerprint") != fingerprint:
                    return None
                state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
                return state if _agrees(state, probe or {}) else None
        except (OSError, SafetensorError) as error:
            warnings.warn(f"'{file}' is damaged ({error}); computed again.", stacklevel=2)
            return None

    def write(self, fingerprint: str, state: Mapping[str, Tensor]) -> None:
        """Keep tensors under a fingerprint; whole, or not at all.

        Args:
            fingerprint: What they were computed from, in words.
            state: Tensors by name.
        """
        file = self.path(fingerprint)
        temporary = file.with_name(f".{file.name}.tmp-{os.getpid()}")
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, temporary, metadata={"fingerprint": fingerprint})
            os.replace(temporary, file)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            warnings.warn(f"Real statistics could not be kept in '{file}': {error}", stacklevel=2)


def _agrees(state: Mapping[str, Tensor], probe: Mapping[str, Tensor]) -> bool:
    return all(
        name in state
        and state[name].shape == x.shape
        and torch.allclose(state[name].double(), x.detach().cpu().double(), rtol=1e-3, atol=1e-3)
        for name, x in probe.items()
    )
