"""Adam with the settings of Radford et al. 2015, arXiv:1511.06434, section 4."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class GANAdam(torch.optim.Adam):
    """Adam with a learning rate of 2e-4 and a first momentum of 0.5.

    Its arguments are plain scalars, so that a configuration file can hold them and be run again;
    its update and its ``state_dict`` are those of `torch.optim.Adam`.

    Args:
        params: Parameters, or groups of them, as for any optimizer of torch.
        lr: Learning rate, at least 0.
        beta1: Decay of the mean of the gradients, in [0, 1). Radford et al. found that 0.9
            oscillates.
        beta2: Decay of the mean of their squares, in [0, 1).
        eps: Added to the root of the latter, at least 0.
        weight_decay: L2 penalty, at least 0.
        fused: Whether to use torch's fused kernel. Under 16-mixed precision it unscales the
            gradients by itself, after any clipping has seen them scaled.

    Raises:
        ValueError: If an argument is out of its range.

    References:
        | Unsupervised Representation Learning with Deep Convolutional GANs (Radford et al., 2015)
        | https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        fused: bool = False,
    ) -> None:
        for argument, value in {"lr": lr, "eps": eps, "weight_decay": weight_decay}.items():
            if not value >= 0:
                raise ValueError(f"`{argument}` must be at least 0, got {value}.")
        for argument, value in {"beta1": beta1, "beta2": beta2}.items():
            if not 0 <= value < 1:
                raise ValueError(f"`{argument}` must be in [0, 1), got {value}.")
        super().__init__(
            params,
            lr=lr,
            betas=(beta1, beta2),
            eps=eps,
            weight_decay=weight_decay,
            fused=fused
            or None,  # False would also switch off the foreach kernels that torch picks on GPUs
        )
