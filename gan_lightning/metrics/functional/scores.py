"""Scores from a classifier's logits of samples.

All of them work on logarithms of probabilities, so that a classifier that is sure of itself
(probabilities that round to 0 or 1) gives finite numbers.
"""

import math

import torch
from torch import Tensor

_ENTRIES = 2**22  # of a block of probabilities: 32 MiB
_LEAST = torch.finfo(torch.float64).min  # where the difference of two logits overflows


def inception_score(logits: Tensor, splits: int = 10) -> tuple[Tensor, Tensor]:
    r"""How sure a classifier is of each sample and how varied its verdicts are.

    .. math::
        \exp\left( \frac{1}{N} \sum_i \mathrm{KL}\left( p(y | x_i) \,\|\, \bar p(y) \right) \right),
        \qquad \bar p(y) = \frac{1}{N} \sum_i p(y | x_i),

    in each of S splits; their mean and standard deviation are returned. 1 is worst (all samples
    alike, or the classifier unsure of all), the number of classes K is best. Only with the logits
    of the Inception network of 2015 it is the Inception Score.

    Its expectation **rises** with N/S: a split of few samples cannot be spread over many classes.
    Real samples do not enter: a generator that remembers one image of each class is perfect.

    Conventions: split i holds the samples from floor(i N / S) to floor((i + 1) N / S), as in the
    original code and torch-fidelity (torchmetrics makes splits of equal size, and fewer of them
    where N is no multiple). The standard deviation is over S (ddof 0), as theirs (torchmetrics:
    S - 1). The samples are taken **in their order**: shuffle them first where that has a meaning.

    Source: Salimans et al. 2016, Improved Techniques for Training GANs (arXiv:1606.03498),
    Section 4.

    Args:
        logits: ``(N, K)``, N at least 2, K at least 2.
        splits: S, from 1 to N.

    Returns:
        Two scalars in float64: the mean in [1, K], the standard deviation.

    Raises:
        ValueError: If the logits are fewer than two, not ``(N, K)`` or not finite, or `splits` is
            out of range.

    Example:
        >>> mean, std = inception_score(1e3 * torch.eye(4).repeat(5, 1), splits=5)
        >>> mean.item(), std.item()
        (4.0, 0.0)
    """
    _check(logits=logits)
    n = len(logits)
    if not 1 <= splits <= n:
        raise ValueError(f"`splits` must be from 1 to the number of samples, {n}, got {splits}.")
    scores = []
    for i in range(splits):
        marginal, entropy = _marginal_and_entropy(logits[i * n // splits : (i + 1) * n // splits])
        scores.append(_gain(marginal, entropy).exp())
    whole = torch.stack(scores)
    return whole.mean(), whole.std(correction=0)


def mode_score(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""An inception score that falls when the fakes' classes are not those of the reals.

    .. math::
        \exp\left( \frac{1}{N} \sum_i \mathrm{KL}\left( p(y | x_i) \,\|\, p_f(y) \right)
        - \mathrm{KL}\left( p_f(y) \,\|\, p_r(y) \right) \right)

    over the fakes :math:`x_i`, with the mean probabilities :math:`p_f` of fakes and :math:`p_r` of
    reals. Higher is better, K at most. It **rises** with N as the inception score does; there are
    no splits.

    Che et al. write :math:`p_r` in the first term as well; then the second one cancels, and what
    remains is the inception score (Zhou et al. 2018, arXiv:1703.02000, show it). This is the form
    of Xu et al., which keeps the second term's meaning.

    Source: Che et al. 2017, Mode Regularized GANs (arXiv:1612.02136), Section 4.1; Xu et al. 2018,
    An Empirical Study on Evaluation Metrics of GANs (arXiv:1806.07755), Section 2.

    Args:
        real_logits: ``(M, K)``, M at least 2.
        fake_logits: ``(N, K)``, N at least 2.

    Returns:
        A scalar in float64, in [0, K].

    Raises:
        ValueError: If logits are fewer than two, not ``(N, K)``, not finite, or differ in K.
    """
    _check(real_logits=real_logits, fake_logits=fake_logits)
    real, _ = _marginal_and_entropy(real_logits)
    fake, entropy = _marginal_and_entropy(fake_logits)
    return (_gain(fake, entropy) - _divergence(fake, real.to(fake))).exp()


def am_score(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""How unsure a classifier is of each fake, and how far the fakes' classes are from the reals'.

    .. math::
        \mathrm{KL}\left( p_r(y) \,\|\, p_f(y) \right) + \frac{1}{N} \sum_i H\left( p(y | x_i)
        \right)

    in nats, over the fakes :math:`x_i`, with the mean probabilities of fakes and reals. Lower is
    better; 0 is reached by fakes of sure and right proportions. The first term **falls** with the
    number of fakes, to about (K - 1) / 2N where the classifier is sure. The classifier must have
    been trained on the very data set.

    Source: Zhou et al. 2018, Activation Maximization GANs (arXiv:1703.02000), Section 5.

    Args:
        real_logits: ``(M, K)``, M at least 2.
        fake_logits: ``(N, K)``, N at least 2.

    Returns:
        A scalar in float64, in [0, inf).

    Raises:
        ValueError: If logits are fewer than two, not ``(N, K)``, not finite, or differ in K.
    """
    _check(real_logits=real_logits, fake_logits=fake_logits)
    real, _ = _marginal_and_entropy(real_logits)
    fake, entropy = _marginal_and_entropy(fake_logits)
    return _divergence(real, fake.to(real)) + entropy.to(real)


def _check(**logits: Tensor) -> None:
    classes = next(iter(logits.values())).shape[-1:]
    for name, x in logits.items():
        if x.ndim != 2 or len(x) < 2 or x.shape[1] < 2:
            raise ValueError(
                f"`{name}` must be (N, K) of at least 2 samples and classes, got shape "
                f"{tuple(x.shape)}."
            )
        if x.shape[-1:] != classes:
            first = next(iter(logits))
            raise ValueError(
                f"`{name}` must have as many classes as `{first}`, {classes[0]}, got {x.shape[1]}."
            )
        if not bool(torch.isfinite(x).all()):
            raise ValueError(f"`{name}` must be finite, got NaN or infinity.")


def _marginal_and_entropy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the mean probabilities ``(K,)``, and the mean entropy of a sample."""
    logits = logits.detach().cpu() if logits.device.type == "mps" else logits.detach()
    marginal = logits.new_full((logits.shape[1],), -math.inf, dtype=torch.float64)
    entropy = marginal.new_zeros(())
    for part in torch.split(logits, max(1, _ENTRIES // logits.shape[1])):
        log_p = part.double().log_softmax(1).clamp(min=_LEAST)
        marginal = torch.logaddexp(marginal, log_p.logsumexp(0))
        entropy -= (log_p.exp() * log_p).sum()
    return marginal - math.log(len(logits)), entropy / len(logits)


def _gain(marginal: Tensor, entropy: Tensor) -> Tensor:
    """Mean KL of the samples' probabilities from their mean: H(mean) - mean H."""
    return (-(marginal.exp() * marginal).sum() - entropy).clamp(min=0)


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum().clamp(min=0)
