r"""The information that samples keep of the codes they were made from, in nats.

Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
Generative Adversarial Nets", arXiv:1606.03657, Eq. 5: for any Q

.. math:: I(c; G(z, c)) \ge E_{c, x}[\log Q(c | x)] + H(c) = L_I.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from gan_lightning.losses._precision import at_least_float32

LOG_STD_LIMIT = 3.0


def categorical_information(logits: Tensor, code: Tensor) -> Tensor:
    r"""The bound for a uniform categorical code: Chen et al. 2016, Eq. 5.

    .. math:: E[\log Q(c | x)] + \log n

    Args:
        logits: Of :math:`Q(c | x)`, ``(N, n)``.
        code: The classes that x was made from, int64 ``(N,)``.

    Returns:
        Nats, a scalar: log n where Q always knows, 0 where it answers 1 / n, below where it errs.
    """
    cost = functional.cross_entropy(at_least_float32(logits), code)
    return math.log(logits.shape[1]) - cost


def continuous_information(mean: Tensor, log_std: Tensor, code: Tensor) -> Tensor:
    r"""The bound for codes uniform on [-1, 1] with a factored Gaussian Q: Chen et al. 2016, Eq. 5.

    .. math:: E\left[\sum_j \log N(c_j; \mu_j(x), \sigma_j(x)^2)\right] + m \log 2

    The true bound needs no less than a uniform code's posterior, which is no Gaussian: the best Q
    that has learnt nothing gives :math:`m (\log 2 - \frac{1}{2} \log(2 \pi e / 3))`, -0.176 m.

    Args:
        mean: Of Q, ``(N, m)``.
        log_std: Logarithms of its standard deviations, ``(N, m)``.
        code: The codes that x was made from, ``(N, m)``.

    Returns:
        Nats, a scalar.
    """
    mean, log_std, code = (at_least_float32(t) for t in (mean, log_std, code))
    error = (code - mean) * torch.exp(-log_std)
    log_density = -(error.square() + math.log(2 * math.pi)) / 2 - log_std
    return log_density.sum(1).mean() + code.shape[1] * math.log(2)


def bounded_log_std(raw: Tensor) -> Tensor:
    r"""A log-std in (-3, 3) from any number: :math:`3 \tanh(r / 3)`, about r around 0.

    Without a lower bound a code that x gives away exactly would have an infinite density, and the
    information term would outgrow every other. Cutting off at the bound would leave a head that is
    beyond it without a gradient.

    Args:
        raw: What a network returned, any shape.

    Returns:
        The same shape.
    """
    return LOG_STD_LIMIT * torch.tanh(raw / LOG_STD_LIMIT)
