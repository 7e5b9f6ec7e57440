"""Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406: the penalty on generated samples."""

import math
from typing import ClassVar

from torch import Tensor

from gan_lightning.regularizers.base import AbstractRegularizer, Game, Inputs
from gan_lightning.regularizers.gradients import squared_gradient_norms


class R2(AbstractRegularizer):
    r"""Penalty on the discriminator's gradient at generated samples: Mescheder et al. 2018, Eq. 10.

    .. math:: R_2 = \frac{\gamma}{2} E_z[\| \nabla_x l(G(z)) \|^2]

    with l the logit. It is `R1` at the fakes: near the equilibrium the two do the same, and away
    from it only both together keep D's gradient small on either side (Huang et al. 2024).

    Warning:
        The gradient of one sample's logit is meant; batch norm in D couples the samples, as with
        `R1`.

    Args:
        gamma: Weight, positive.

    Raises:
        ValueError: If the weight is not a positive number.

    References:
        | Which Training Methods for GANs do actually Converge? (Mescheder et al., 2018)
        | https://arxiv.org/abs/1801.04406
        | The GAN is dead; long live the GAN! (Huang et al., 2024)
        | https://arxiv.org/abs/2501.05441
    """

    name: ClassVar[str] = "r2"

    def __init__(self, gamma: float = 1.0) -> None:
        if not 0 < gamma < math.inf:
            raise ValueError(f"`gamma` must be a positive number, got {gamma}.")
        self.gamma = gamma

    def penalty(self, game: Game, real: Inputs, fake: Inputs | None) -> Tensor:
        """Return the penalty at the fakes, a scalar with a graph to D's parameters.

        Raises:
            ValueError: When the family's discriminator loss makes no fakes.
        """
        if fake is None:
            raise ValueError(
                "`regularizers` must not hold R2 here, because the discriminator's loss of this "
                "family makes no generated samples to take it at, but it does."
            )
        return self.gamma / 2 * squared_gradient_norms(game, fake).mean()
