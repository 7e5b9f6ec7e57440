"""Checkpoints that are whole or not there.

Lightning writes to the temporary folder and moves the file. Where that folder lies on another
file system the move is a copy, which a kill leaves half done, and which a full disk turns into
the loss of the old file. Here the new file is written beside the old one, forced to the disk and
renamed over it. That needs room for both.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from gan_lightning.families.base import read_checkpoint


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp-{os.getpid()}")


def sync_folder(folder: Path) -> None:
    """Force a rename in `folder` to the disk, where the system can."""
    if os.name == "nt":
        return  # Windows has no handle for a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written."""
    for leftover in folder.glob("*.tmp-*"):
        leftover.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, replacing it at once; a copy if it must be."""
    temporary = _beside(target)
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copy2(source, temporary)
    os.replace(temporary, target)
    sync_folder(target.parent)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints on local file systems so that a kill or a full disk costs no older one.

    Reading takes weights only unless told otherwise: Lightning before 2.6 would run pickles.
    """

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint, onto the CPU by default.

        Raises:
            ValueError: When torch cannot read it; the sentence names another one if there is one.
        """
        return read_checkpoint(
            path,
            argument="ckpt_path",
            map_location=map_location,
            weights_only=weights_only is not False,
        )

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write beside, force to the disk, rename.

        Raises:
            OSError: When the file cannot be written; the one that was there is as it was.
        """
        target = Path(path)
        temporary = _beside(target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
            sync_folder(target.parent)
        except BaseException as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            if _is_full_disk(error):
                free = shutil.disk_usage(target.parent).free / 2**20
                raise OSError(
                    "`checkpoint` must fit on the disk beside the older one, but "
                    f"{target} could not be written with {free:.0f} MiB free: {error}"
                ) from error
            raise


def _is_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # torch.save's way of saying it: "inline_container.cc ... unexpected pos".
    return isinstance(error, RuntimeError) and "inline_container" in str(error)
