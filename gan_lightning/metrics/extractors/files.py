"""Files of weights: where they are, whether they are the right ones, and what is in them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

__all__ = ["digest_of_file", "hub_checkpoints", "load_into", "read_state"]


def hub_checkpoints() -> Path:
    """Where torch.hub keeps weights that any program has downloaded through it."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state_dict; nothing in the file is executed.

    Args:
        path: A ``.safetensors`` file, or one of `torch.save`.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it holds anything but named tensors.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`weights` must be a file, found none at {path}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        raise ValueError(f"`weights` must be a state_dict, got {path}: {_short(error)}") from error
    if not (isinstance(state, Mapping) and all(isinstance(v, Tensor) for v in state.values())):
        raise ValueError(f"`weights` must be a state_dict, got {path} with a {type(state)}.")
    return state if isinstance(state, dict) else dict(state)


def load_into(network: nn.Module, path: Path, name: str, **options: Any) -> None:
    """Read a state_dict into a network, without any gap or rest.

    Args:
        network: Takes the weights.
        path: The file.
        name: What the network is called.
        options: Of `torch.nn.Module.load_state_dict`.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it does not fit.
    """
    try:
        network.load_state_dict(read_state(path), **options)
    except RuntimeError as error:
        raise ValueError(f"`weights` must fit {name}, got {path}: {_short(error)}") from error


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]} ..."
