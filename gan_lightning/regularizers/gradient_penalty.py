"""Gulrajani et al. 2017, arXiv:1704.00028: the penalty between real and generated samples."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from gan_lightning.regularizers.base import AbstractRegularizer, Game, Inputs
from gan_lightning.regularizers.gradients import squared_gradient_norms


class GradientPenalty(AbstractRegularizer):
    r"""Pull the norm of the critic's gradient to 1 on lines between reals and fakes.

    .. math::

        \lambda E[(\| \nabla_{\hat x} D(\hat x) \|_2 - 1)^2], \quad
        \hat x = \epsilon x + (1 - \epsilon) G(z), \quad \epsilon \sim U[0, 1)

    Gulrajani et al. 2017, Eq. 3 and Algorithm 1. One coefficient for each thing that D judges: all
    pixels of an image, all samples of a pack and whatever real-valued stands beside them share it.
    The norm runs over all of these too. Labels are the reals' labels. Always in float32 or better.

    Much-copied code draws a coefficient per pixel (then x_hat is no point of the line) or takes the
    norm over the channels alone; both train, and neither is the penalty of the article.

    Args:
        weight: lambda, positive. The article has 10 for images, its code 0.1 for points.
        one_sided: Penalise only norms above the target: max(0, norm - target)^2, which is all that
            a Lipschitz bound asks for (section 4 of the article reports little difference).
        target: The norm that is pulled to, at least 0; 1 in the article.

    Raises:
        ValueError: If the weight or the target is out of its range.

    References:
        | Improved Training of Wasserstein GANs (Gulrajani et al., 2017)
        | https://arxiv.org/abs/1704.00028
    """

    name: ClassVar[str] = "gradient_penalty"

    def __init__(self, weight: float = 10.0, one_sided: bool = False, target: float = 1.0) -> None:
        if not 0 < weight < math.inf:
            raise ValueError(f"`weight` must be a positive number, got {weight}.")
        if not 0 <= target < math.inf:
            raise ValueError(f"`target` must be a number of at least 0, got {target}.")
        self.weight = weight
        self.one_sided = one_sided
        self.target = target

    def penalty(self, game: Game, real: Inputs, fake: Inputs | None) -> Tensor:
        """Return the penalty between the two, a scalar with a graph to D's parameters.

        Raises:
            ValueError: When the family's discriminator loss makes no fakes.
        """
        if fake is None:
            raise ValueError(
                "`regularizers` must not hold GradientPenalty here, because the discriminator's "
                "loss of this family makes no generated samples to draw lines to, but it does."
            )
        m = game.samples_per_input
        eps = game.uniform(len(real[0]))[::m].repeat_interleave(m)  # (N,), equal within a pack
        x_hat = tuple(_between(x, x_fake, eps) for x, x_fake in zip(real, fake, strict=True))
        excess = _root(squared_gradient_norms(game, x_hat)) - self.target
        if self.one_sided:
            excess = excess.relu()
        return self.weight * excess.square().mean()


def _between(x: Tensor, x_fake: Tensor, eps: Tensor) -> Tensor:
    if not x.is_floating_point():
        return x
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    eps = eps.to(x.dtype).reshape(-1, *[1] * (x.dim() - 1))  # broadcast over all other axes
    return eps * x + (1 - eps) * x_fake.to(x.dtype)


def _root(squares: Tensor) -> Tensor:
    """Square root with gradient 0 at 0, where a dead critic would otherwise give NaN."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), 0)
