"""Statistics of real samples on disk: computed once for a data set and an extractor."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

__all__ = ["RealCache", "cache_folder"]


def cache_folder() -> Path:
    """Where this package keeps what it can make or fetch again.

    Returns:
        ``$GAN_LIGHTNING_CACHE``, else ``gan_lightning`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if own := os.environ.get("GAN_LIGHTNING_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lightning"


class RealCache:
    """A folder of safetensors files, each under the fingerprint of what it was computed from.

    The fingerprint (data set, split, number, extractor, resize mode, digest of the weights) is
    written into the file and compared when it is read. A file that cannot be read is as good as
    none; one that cannot be written is warned of, and costs nothing but time.

    Args:
        folder: Where; None takes ``real`` in the package's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() / "real" if folder is None else folder

    def path(self, fingerprint: str) -> Path:
        """The file of a fingerprint."""
        return self.folder / f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:24]}.safetensors"

    def read(self, fingerprint: str) -> dict[str, Tensor] | None:
        """What was written under a fingerprint.

        Args:
            fingerprint: What the statistics were computed from, in words.

        Returns:
            Tensors by name; None where there are none, or a file is damaged.
        """
        file = self.path(fingerprint)
        if not file.is_file():
            return None
        try:
            with safe_open(file, framework="pt") as content:
                if (content.metadata() or {}).get("fingerprint") != fingerprint:
                    return None
                return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
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
