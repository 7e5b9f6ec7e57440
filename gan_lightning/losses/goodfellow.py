r"""The costs of the original games.

Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv:1406.2661, and Goodfellow 2016, "NIPS
2016 Tutorial: Generative Adversarial Networks", arXiv:1701.00160, section 3.2.

All are functions of logits :math:`l` with :math:`D = \sigma(l)`, and means over the batch. The
tutorial halves every cost (Eq. 8, 13, 14), the article does not (Eq. 1): here none is halved, so
that D's cost is the sum of two cross-entropies and the minimax cost of G is exactly minus D's fake
term.
"""

import torch
from torch import Tensor
from torch.nn import functional

from gan_lightning.losses._precision import at_least_float32, softplus

_LARGEST_CLAMP = 50.0


def discriminator_loss(
    d_real: Tensor, d_fake: Tensor, *, real_target: float = 1.0, fake_target: float = 0.0
) -> Tensor:
    r"""D's cost in every game of this file: Goodfellow 2014, Eq. 1; Goodfellow 2016, Eq. 8.

    .. math::

        L_D = -E_x[t \log D(x) + (1 - t) \log(1 - D(x))]
              - E_z[b \log D(G(z)) + (1 - b) \log(1 - D(G(z)))]

    with the targets t = 1 and b = 0 of the article. A target t = 1 - alpha is one-sided label
    smoothing (Salimans et al. 2016). The optimum is

    .. math:: D^* = \frac{t\,p_{data} + b\,p_g}{p_{data} + p_g},

    which with b > 0 peaks where G's own samples are and rewards G for staying there (Goodfellow
    2016, section 4.2).

    Args:
        d_real: Logits of real samples, any shape.
        d_fake: Logits of generated samples, any shape.
        real_target: t, the probability that D shall give to real samples, in [0, 1].
        fake_target: b, the one that it shall give to generated samples, in [0, 1].

    Returns:
        The cost, a scalar, in float32 or the logits' higher precision.
    """
    return _cross_entropy(d_real, real_target) + _cross_entropy(d_fake, fake_target)


def minimax_generator_loss(d_fake: Tensor) -> Tensor:
    r"""G's cost in the zero-sum game: Goodfellow 2014, Eq. 1; Goodfellow 2016, Eq. 10.

    .. math:: L_G = E_z[\log(1 - D(G(z)))]

    Its gradient vanishes where D rejects the samples with confidence.

    Args:
        d_fake: Logits of generated samples, any shape.

    Returns:
        The cost, a scalar: minus the fake term of `discriminator_loss`.
    """
    return -softplus(d_fake).mean()  # softplus(l) = -log(1 - D)


def non_saturating_generator_loss(d_fake: Tensor) -> Tensor:
    r"""G's cost in the heuristic game: Goodfellow 2014, section 3; Goodfellow 2016, Eq. 13.

    .. math:: L_G = -E_z[\log D(G(z))]

    It has the minimax cost's fixed point and a strong gradient where D rejects the samples.

    Args:
        d_fake: Logits of generated samples, any shape.

    Returns:
        The cost, a scalar.
    """
    return softplus(-d_fake).mean()  # softplus(-l) = -log D


def maximum_likelihood_generator_loss(
    d_fake: Tensor, *, clamp: float = 20.0
) -> tuple[Tensor, Tensor]:
    r"""G's cost in the maximum likelihood game: Goodfellow 2016, Eq. 14.

    .. math:: L_G = -E_z[\exp(\sigma^{-1}(D(G(z))))] = -E_z[\exp(l)]

    With D at its optimum :math:`\exp(l) = p_{data} / p_g`, and the gradient is that of
    :math:`KL(p_{data} \| p_g)`. Above the clamp c the exponential goes on along its tangent:

    .. math:: \exp(l) \to e^c (1 + l - c) \quad\text{for } l > c.

    So :math:`e^c` is the largest weight a sample can have in G's gradient, as with truncated
    importance weights. Clamping l itself would give the samples with the largest weights no
    gradient at all.

    Args:
        d_fake: Logits of generated samples, any shape.
        clamp: c, at most 50, which keeps the cost finite in float32.

    Returns:
        The cost and the share of logits above the clamp (detached), two scalars, in float32 or the
        logits' higher precision.

    Raises:
        ValueError: If the clamp is above 50 or not a number.
    """
    if not clamp <= _LARGEST_CLAMP:
        raise ValueError(
            f"`clamp` must be a number up to {_LARGEST_CLAMP:g}, so that the cost stays finite, "
            f"got {clamp}."
        )
    with torch.autocast(d_fake.device.type, enabled=False):
        logits = at_least_float32(d_fake)
        weights = logits.clamp(max=clamp).exp()  # exp(min(l, c))
        # Above c the weights are constant, so that the derivative of the product is exp(c).
        loss = -(weights * (1 + functional.relu(logits - clamp))).mean()
    return loss, (logits.detach() > clamp).to(logits.dtype).mean()


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    # A branch for the usual targets: half the kernels, which on toy networks is measurable.
    if target == 1:
        return softplus(-logits).mean()  # softplus(-l) = -log D
    if target == 0:
        return softplus(logits).mean()  # softplus(l) = -log(1 - D)
    return (target * softplus(-logits) + (1 - target) * softplus(logits)).mean()
