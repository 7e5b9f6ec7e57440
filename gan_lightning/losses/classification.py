r"""Costs of discriminators that tell classes.

Odena et al. 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585,
section 3; Salimans et al. 2016, "Improved Techniques for Training GANs", arXiv:1606.03498, section
5; Springenberg 2016, "Unsupervised and Semi-supervised Learning with Categorical Generative
Adversarial Networks", arXiv:1511.06390, section 3.

All are functions of class logits :math:`l_1, \dots, l_n` with :math:`p(y | x) = softmax(l)`, one
value a sample: which samples a mean is to run over (the labelled ones, those of all processes) is
the game's affair.
"""

import torch
from torch import Tensor
from torch.nn import functional

from gan_lightning.losses._precision import at_least_float32, softplus

UNLABELLED = -1


def cross_entropies(class_logits: Tensor, labels: Tensor) -> Tensor:
    r"""Minus the log-likelihood of the labels: Odena et al. 2017, Eq. 3, with the sign of a cost.

    .. math:: -\log p(y | x)

    Args:
        class_logits: ``(N, n)``.
        labels: Classes, int64 ``(N,)``; -1 for an unlabelled sample, whose cost and gradient are 0.

    Returns:
        ``(N,)``, in float32 or the logits' higher precision.
    """
    logits = at_least_float32(class_logits)
    return functional.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none")


def hits(class_logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest logit is the label's, else 0 (as for an unlabelled sample).

    Args:
        class_logits: ``(N, n)``.
        labels: Classes, int64 ``(N,)``, or -1.

    Returns:
        ``(N,)``, in float32 or the logits' higher precision; its mean is the accuracy.
    """
    return (class_logits.argmax(1) == labels).to(at_least_float32(class_logits).dtype)


def real_logits(class_logits: Tensor) -> Tensor:
    r"""The logit of being real among n + 1 classes: Salimans et al. 2016, section 5.

    .. math:: l(x) = \log \sum_{k=1}^n e^{l_k(x)}

    With :math:`l_{n+1} = 0` for the class of generated samples :math:`\sigma(l)` is the probability
    of the n others together, so that :math:`D(x) = Z(x) / (Z(x) + 1)` with :math:`Z = e^l`. Nothing
    is lost: a softmax does not change when a number is subtracted from all of its logits.

    Args:
        class_logits: Logits of the n classes of real samples, ``(N, n)``.

    Returns:
        ``(N,)``, in float32 or the logits' higher precision.
    """
    return torch.logsumexp(at_least_float32(class_logits), dim=1)


def real_costs(class_logits: Tensor) -> Tensor:
    r"""D's cost of real samples without labels: Salimans et al. 2016, section 5, L_unsupervised.

    .. math:: -\log(1 - p(y = n + 1 | x)) = softplus(-l(x))

    Args:
        class_logits: ``(N, n)``.

    Returns:
        ``(N,)``, in float32 or the logits' higher precision.
    """
    return softplus(-real_logits(class_logits))


def fake_costs(class_logits: Tensor) -> Tensor:
    r"""D's cost of generated samples: Salimans et al. 2016, section 5, L_unsupervised.

    .. math:: -\log p(y = n + 1 | x) = softplus(l(x))

    Args:
        class_logits: ``(N, n)``.

    Returns:
        ``(N,)``, in float32 or the logits' higher precision.
    """
    return softplus(real_logits(class_logits))


def probabilities(class_logits: Tensor) -> Tensor:
    """The softmax of class logits ``(N, n)``, in float32 or their higher precision."""
    return at_least_float32(class_logits).softmax(1)


def entropies(class_logits: Tensor) -> Tensor:
    r"""How undecided a classifier is: Springenberg 2016, section 3.

    .. math:: H[p(y | x)] = -\sum_k p(k | x) \log p(k | x)

    Args:
        class_logits: ``(N, n)``.

    Returns:
        Nats, ``(N,)``, in float32 or the logits' higher precision; from 0 to log n.
    """
    log_p = at_least_float32(class_logits).log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def entropy(p: Tensor) -> Tensor:
    r"""Entropy of a distribution: Springenberg 2016, section 3, on the mean of :math:`p(y | x)`.

    Args:
        p: Probabilities ``(n,)``; one that is 0 adds nothing.

    Returns:
        Nats, a scalar.
    """
    # The gradient at p = 0 is large but finite, so that a softmax's own 0 there can silence it.
    return -(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum()
