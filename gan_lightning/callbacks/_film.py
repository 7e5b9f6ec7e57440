"""A film of pictures."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gan_lightning.runs import write_atomically

_FRAMES = 60
_LONG_SIDE = 640  # pixels; an animation of full-size grids would take tens of megabytes
_MILLISECONDS, _LAST = 120, 2000


def save_film(pictures: Sequence[Path], path: Path) -> None:
    """Make an animated GIF of at most 60 of the pictures, evenly chosen, both ends among them.

    Args:
        pictures: image files in order; pictures of another size than the last one's are left out.
        path: the GIF; nothing is written for fewer than two pictures.
    """
    frames = [_frame(pictures[i]) for i in _chosen(len(pictures))]
    frames = [frame for frame in frames if frame.size == frames[-1].size]
    if len(frames) < 2:
        return
    data = io.BytesIO()
    times = [_MILLISECONDS] * (len(frames) - 1) + [_LAST]
    first, *rest = frames
    first.save(data, format="GIF", save_all=True, append_images=rest, duration=times, loop=0)
    write_atomically(path, data.getvalue())


def _chosen(number: int) -> list[int]:
    if number <= _FRAMES:
        return list(range(number))
    return [round(float(i)) for i in np.linspace(0, number - 1, _FRAMES)]


def _frame(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        frame: Image.Image = picture.convert("L" if picture.mode == "L" else "RGB")
    frame.thumbnail((_LONG_SIDE, _LONG_SIDE))
    return frame
