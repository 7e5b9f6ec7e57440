"""How much images change along paths through a generator's latent space."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gan_lightning.metrics.functional.lpips_diversity import distances

__all__ = ["path_lengths", "perceptual_path_length", "trimmed_mean"]

_GOLDEN = -7046029254386353131  # 2^64 / golden ratio, odd; as every constant here a signed word
_MIX = (-4658895280553007687, -7723592293110705685)  # of splitmix64's last steps


def perceptual_path_length(
    generate: Callable[[Tensor], Tensor],
    z: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    epsilon: float = 1e-4,
    lower: float = 0.01,
    upper: float = 0.99,
    interpolation: Literal["slerp", "lerp"] = "slerp",
    seed: int = 0,
    ends: Literal["full", "end"] = "full",
    chunk: int = 64,
) -> tuple[Tensor, Tensor]:
    r"""Mean perceptual distance of images a tiny step apart in latent space, per squared step.

    .. math:: \mathbb{E}\left[ \frac{1}{\varepsilon^2}
        d\big( G(I(z_1, z_2; t)), G(I(z_1, z_2; t + \varepsilon)) \big) \right]

    for a distance d that grows as the square of small changes, as LPIPS does; then it is the
    squared speed of the image along the path. Lower is smoother. Unbiased but for the trimming,
    whatever the number of paths (the paper takes 100,000).

    Conventions: as in StyleGAN, paths outside two quantiles are left out before the mean; the lower
    quantile is the sample at or below, the upper one the sample at or above (StyleGAN,
    torch-fidelity; torchmetrics takes the one below and leaves out one path more). The standard
    deviation has ddof 0 (torch-fidelity; torchmetrics has 1). ``ends="full"`` takes t uniform in
    [0, 1), ``"end"`` t = 0. The position of a path is a function of its two ends and the seed, so
    the value does not depend on the order of paths. "slerp" follows the great circle between the
    directions and keeps both ends as they are (StyleGAN moves them to the unit sphere, which only a
    generator that normalises z allows); "lerp" is a straight line, for w and other flat spaces.
    Positions are computed in float64, but z enters `generate` in its own dtype: in float32 steps of
    1e-4 keep three digits of themselves; use float64, or a larger epsilon, for more.

    Source: Karras et al. 2019, arXiv:1812.04948, section 4.1.

    Args:
        generate: Maps latents ``(B, ...)`` to images ``(B, ...)``.
        z: Latents ``(2P, ...)``, at least one pair: rows 2i and 2i + 1 are the ends of path i.
        distance: Maps two batches of images to B numbers; the torchmetrics network of LPIPS does.
        epsilon: Step, as a share of the path.
        lower: Share of the shortest paths that is left out.
        upper: Share up to which paths count.
        interpolation: "slerp" for Gaussian z, "lerp" for flat spaces.
        seed: Of the positions.
        ends: "full" for positions along the whole path, "end" for its beginning.
        chunk: Paths at a time.

    Returns:
        Mean and standard deviation over paths, scalars in float64, in the unit of the distance.

    Raises:
        ValueError: If z is not finite or its number is odd, an argument is out of range, or the
            distance does not give one finite number a path.

    Example:
        >>> z = torch.tensor([[0.0], [3.0]], dtype=torch.float64)
        >>> square = lambda x, y: (x - y).square().sum(1)
        >>> mean, _ = perceptual_path_length(lambda z: 2 * z, z, square, interpolation="lerp")
        >>> round(mean.item(), 6)
        36.0
    """
    lengths = path_lengths(
        generate, z, distance, epsilon, interpolation, seed=seed, ends=ends, chunk=chunk
    )
    return trimmed_mean(lengths, lower, upper)


@torch.no_grad()
def path_lengths(
    generate: Callable[[Tensor], Tensor],
    z: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    epsilon: float = 1e-4,
    interpolation: Literal["slerp", "lerp"] = "slerp",
    seed: int = 0,
    ends: Literal["full", "end"] = "full",
    chunk: int = 64,
) -> Tensor:
    """The scaled distances that `perceptual_path_length` is the trimmed mean of.

    Args:
        generate: As for `perceptual_path_length`; so are the others.
        z: Latents ``(2P, ...)``.
        distance: Of two batches of images.
        epsilon: Step.
        interpolation: "slerp" or "lerp".
        seed: Of the positions.
        ends: "full" or "end".
        chunk: Paths at a time.

    Returns:
        Float64 ``(P,)``.

    Raises:
        ValueError: As for `perceptual_path_length`.
    """
    _check(z, epsilon, interpolation, ends, chunk)
    paths = z.detach().reshape(len(z) // 2, 2, -1)
    interpolate = _slerp if interpolation == "slerp" else _lerp
    found = []
    for some in torch.split(paths, chunk):
        t = _positions(some, seed) if ends == "full" else some.new_zeros(len(some)).double()
        first, second = some[:, 0].double(), some[:, 1].double()
        at = torch.cat([interpolate(first, second, s[:, None]) for s in (t, t + epsilon)])
        images = generate(at.to(z.dtype).reshape(-1, *z.shape[1:]))
        found.append(distances(distance, *images.chunk(2)) / epsilon**2)
    return torch.cat(found)


def trimmed_mean(
    lengths: Tensor, lower: float = 0.01, upper: float = 0.99
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the numbers between two quantiles.

    Args:
        lengths: ``(P,)``, P at least 1.
        lower: The sample at or below this quantile is the smallest that counts.
        upper: The sample at or above this quantile is the largest that counts.

    Returns:
        Mean and standard deviation (ddof 0), scalars in float64.

    Raises:
        ValueError: If there is no number or the quantiles are not ``0 <= lower < upper <= 1``.
    """
    if not 0 <= lower < upper <= 1:
        raise ValueError(f"`lower` and `upper` must rise within [0, 1], got {lower} and {upper}.")
    if lengths.ndim != 1 or not len(lengths):
        raise ValueError(f"`lengths` must be (P,) with P at least 1, got {tuple(lengths.shape)}.")
    ordered = lengths.double().sort().values  # so that the sum does not depend on the order
    low = ordered.quantile(lower, interpolation="lower") if len(ordered) > 1 else ordered[0]
    high = ordered.quantile(upper, interpolation="higher") if len(ordered) > 1 else ordered[0]
    kept = ordered[(ordered >= low) & (ordered <= high)]
    return kept.mean(), kept.std(correction=0)


def _check(z: Tensor, epsilon: float, interpolation: str, ends: str, chunk: int) -> None:
    if z.ndim < 2 or len(z) < 2 or len(z) % 2 or not z.is_floating_point():
        raise ValueError(
            "`z` must be floats (2P, ...), an even number of at least 2, got "
            f"{z.dtype} of shape {tuple(z.shape)}."
        )
    if not bool(torch.isfinite(z).all()):
        raise ValueError("`z` must be finite, got NaN or infinity.")
    if not 0 < epsilon < 1:
        raise ValueError(f"`epsilon` must lie in (0, 1), got {epsilon}.")
    if interpolation not in ("slerp", "lerp"):
        raise ValueError(f"`interpolation` must be 'slerp' or 'lerp', got '{interpolation}'.")
    if ends not in ("full", "end"):
        raise ValueError(f"`ends` must be 'full' or 'end', got '{ends}'.")
    if chunk < 1:
        raise ValueError(f"`chunk` must be at least 1, got {chunk}.")


def _lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    return a + t * (b - a)


def _slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the great circle; a straight line where the directions are parallel or opposite."""
    norms = a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True)
    cosine = ((a * b).sum(1, keepdim=True) / norms).clamp(-1, 1)  # NaN for a zero end
    angle = cosine.acos()
    sine = angle.sin()
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / sine
    return torch.where(sine > 1e-7, arc, _lerp(a, b, t))


def _positions(paths: Tensor, seed: int) -> Tensor:
    """Uniform numbers in [0, 1) from a hash of each path's ends ``(P, 2, D)``, float64 ``(P,)``."""
    words = (paths.double().flatten(1) + 0.0).contiguous().view(torch.int64)  # + 0.0: no -0.0
    places = torch.arange(1, words.shape[1] + 1, device=words.device) * _GOLDEN
    salt = _mix(torch.tensor(seed, device=words.device))
    mixed = _mix(_mix(words + places).sum(1) + salt)
    return ((mixed >> 11) & (2**53 - 1)).double() / 2**53


def _mix(words: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele et al. 2014) on words of 64 bits."""
    for shift, factor in zip((30, 27), _MIX, strict=True):
        words = (words ^ _shift(words, shift)) * factor
    return words ^ _shift(words, 31)


def _shift(words: Tensor, by: int) -> Tensor:
    """A shift to the right that fills with 0."""
    shifted: Tensor = (words >> by) & (2 ** (64 - by) - 1)
    return shifted
