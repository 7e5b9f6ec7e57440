"""Reader of IDX files, the format of MNIST and its relatives."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Read an IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    The format (LeCun, Cortes & Burges): two zero bytes, the type (8: unsigned byte), the number of
    dimensions, each dimension as a big-endian 32-bit integer, then the values, last dimension
    fastest.

    Args:
        path: The file.
        dimensions: Number of dimensions it must have.

    Returns:
        uint8 tensor with the file's dimensions.

    Raises:
        ValueError: If the file is not what the format says; the sentence names expected and found.
    """
    content = _content(path)
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise ValueError(
            f"IDX file {path} must begin with a header of {header} bytes, found {len(content)} "
            "bytes."
        )
    magic, expected = content[:4].hex(), bytes([0, 0, _UNSIGNED_BYTE, dimensions]).hex()
    if magic != expected:
        raise ValueError(
            f"IDX file {path} must begin with the bytes {expected} (unsigned bytes, {dimensions} "
            f"dimensions), found {magic}."
        )
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"IDX file {path} must hold {math.prod(shape)} bytes after its header, as its "
            f"dimensions {' x '.join(map(str, shape))} say, found {len(content) - header}."
        )
    if math.prod(shape) == 0:
        raise ValueError(f"IDX file {path} must hold at least one value, found dimensions {shape}.")
    return torch.frombuffer(content, dtype=torch.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytearray:
    """The file's bytes, unpacked; writable, else torch warns of tensors over read-only memory."""
    packed = path.read_bytes()
    if path.suffix != ".gz":
        return bytearray(packed)
    try:
        return bytearray(gzip.decompress(packed))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"IDX file {path} must be a complete gzip file, found a corrupt one of {len(packed)} "
            f"bytes ({error})."
        ) from error
