"""A game that gives a regularizer nothing but its discriminator."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Table:
    """One discriminator; uniform draws are the `coefficients`, and without them none is allowed."""

    discriminator: Callable[..., Tensor]
    samples_per_input: int = 1
    coefficients: Tensor | None = None

    def judge(self, *inputs: Tensor) -> Tensor:
        return self.discriminator(*inputs)

    def uniform(self, n: int, *shape: int) -> Tensor:
        assert self.coefficients is not None, "this regularizer draws nothing"
        assert (n, *shape) == self.coefficients.shape
        return self.coefficients

    def normal(self, n: int, *shape: int) -> Tensor:
        raise AssertionError("this regularizer draws nothing")


def loop_norms(discriminator: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Norms of the gradient of each sample's logit, one sample at a time."""
    norms = []
    for sample in x.detach():
        point = sample.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(point[None]).sum(), point)
        norms.append(sum(float(g) ** 2 for g in gradient.flatten()) ** 0.5)
    return torch.tensor(norms, dtype=torch.float64)
