"""RMSProp with the settings of Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class GANRMSProp(torch.optim.RMSprop):
    """RMSProp with a learning rate of 5e-5 and no momentum.

    Arjovsky et al. found that the training of a clipped critic is unstable with momentum (Adam with
    beta1 > 0). Its arguments are plain scalars, so that a configuration file can hold them and be
    run again; its update and its ``state_dict`` are those of `torch.optim.RMSprop`.

    Args:
        params: Parameters, or groups of them, as for any optimizer of torch.
        lr: Learning rate, at least 0.
        alpha: Decay of the mean of the squared gradients, in [0, 1). The article does not say; its
            code takes torch's default, as here.
        eps: Added to the root of that mean, at least 0.
        weight_decay: L2 penalty, at least 0.
        momentum: Momentum of the steps, in [0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017)
        | https://arxiv.org/abs/1701.07875
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 5e-5,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        for argument, value in {"lr": lr, "eps": eps, "weight_decay": weight_decay}.items():
            if not value >= 0:
                raise ValueError(f"`{argument}` must be at least 0, got {value}.")
        for argument, value in {"alpha": alpha, "momentum": momentum}.items():
            if not 0 <= value < 1:
                raise ValueError(f"`{argument}` must be in [0, 1), got {value}.")
        super().__init__(
            params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum
        )
