"""Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406: the penalty on real samples."""

import math
from typing import ClassVar

from torch import Tensor

from gan_lightning.regularizers.base import AbstractRegularizer, Game, Inputs
from gan_lightning.regularizers.gradients import squared_gradient_norms


class R1(AbstractRegularizer):
    r"""Penalty on the discriminator's gradient at real samples: Mescheder et al. 2018, Eq. 9.

    .. math:: R_1 = \frac{\gamma}{2} E_x[\| \nabla_x l(x) \|^2]

    with l the logit, as in the authors' code. With it the training of a GAN converges locally.

    Warning:
        The gradient of one sample's logit is meant. Batch norm in D couples the samples, and what
        is penalised then is the gradient of the sum of the logits.

    Args:
        gamma: Weight, positive. Mescheder et al. use 10.

    Raises:
        ValueError: If the weight is not a positive number.

    References:
        | Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018)
        | https://arxiv.org/abs/1801.04406
    """

    name: ClassVar[str] = "r1"

    def __init__(self, gamma: float = 1.0) -> None:
        if not 0 < gamma < math.inf:
            raise ValueError(f"`gamma` must be a positive number, got {gamma}.")
        self.gamma = gamma

    def penalty(self, game: Game, real: Inputs, fake: Inputs | None) -> Tensor:
        """Return the penalty at the real samples, a scalar with a graph to D's parameters."""
        return self.gamma / 2 * squared_gradient_norms(game, real).mean()
