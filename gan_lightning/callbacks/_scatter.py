"""Points in the plane as a picture."""

import io
import math

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

_REAL, _FAKE = "#b8b8b8", "#d1495b"


def half_width(real: Tensor) -> float:
    """Choose axes for data: a rounded number, so that two batches of one data set give the same.

    Args:
        real: points ``(N, 2)``.

    Returns:
        The axes reach from minus this to this.
    """
    reach = 1.25 * float(real.abs().max())
    if not 0 < reach < math.inf:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(reach)) / 2
    return math.ceil(reach / unit) * unit


def scatter(fake: Tensor, real: Tensor, limit: float) -> Image.Image:
    """Draw samples over real points.

    Args:
        fake: points ``(N, 2)``.
        real: points ``(M, 2)``.
        limit: the axes reach from -limit to limit.

    Returns:
        A square RGB picture.
    """
    figure = Figure(figsize=(4.8, 4.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # draws without pyplot and without a display
    axes = figure.add_subplot()
    x, y = real.numpy().T
    axes.scatter(x, y, s=14, c=_REAL, linewidths=0, label="real")
    x, y = fake.numpy().T
    axes.scatter(x, y, s=14, c=_FAKE, linewidths=0, alpha=0.8, label="samples")
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.legend(loc="upper right", fontsize=8, framealpha=0.8)
    axes.tick_params(labelsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return Image.open(data).convert("RGB")
