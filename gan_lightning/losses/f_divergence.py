r"""The costs of the f-GAN: Nowozin et al. 2016, "f-GAN", arXiv:1606.00709, Eq. 4 and Tables 5, 6.

.. math:: D_f(P \| Q) = E_{x \sim Q}[f(p(x) / q(x))] \ge E_P[T] - E_Q[f^*(T)]

for every critic T with values in the domain of f's conjugate :math:`f^*(t) = \sup_u u t - f(u)`,
with equality at :math:`T = f'(p / q)`. P are the data, Q is the generator, and
:math:`T = g_f(V(x))` with V the network and :math:`g_f` the output activation of Table 6.

Each class is a row of that table. For the reverse Kullback-Leibler, Neyman and squared Hellinger
divergences :math:`g_f` *falls* with v, so that V is small on real samples (the article's text calls
every one increasing). Whatever the divergence, :math:`T > f'(1)` says "real".
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from torch import Tensor

from gan_lightning.losses._lambert import log_lambert_w
from gan_lightning.losses._precision import at_least_float32, softplus


class AbstractFDivergence(ABC):
    r"""A convex f with f(1) = 0 (but for `GANDivergence`) and what its game needs.

    Attributes:
        threshold: :math:`f'(1)`, the critic's value where p = q.
    """

    threshold: ClassVar[float]

    @abstractmethod
    def f(self, u: Tensor) -> Tensor:
        """The generator function at the density ratio u = p / q > 0."""

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """T = g_f(v), in the domain of the conjugate, of the network's output v."""

    @abstractmethod
    def conjugate(self, t: Tensor) -> Tensor:
        """f*(t), for t in its domain."""

    @abstractmethod
    def conjugate_at(self, v: Tensor) -> Tensor:
        """f*(g_f(v)) in closed form: composed of the two, it would lose digits or overflow."""


@final
class KullbackLeibler(AbstractFDivergence):
    """KL(P || Q) = E_P log(p / q): f = u log u."""

    threshold: ClassVar[float] = 1.0

    def f(self, u: Tensor) -> Tensor:
        """u log u."""
        return torch.xlogy(u, u)

    def activation(self, v: Tensor) -> Tensor:
        """v."""
        return v

    def conjugate(self, t: Tensor) -> Tensor:
        """exp(t - 1)."""
        return (t - 1).exp()

    def conjugate_at(self, v: Tensor) -> Tensor:
        """exp(v - 1)."""
        return (v - 1).exp()


@final
class ReverseKullbackLeibler(AbstractFDivergence):
    """KL(Q || P) = E_Q log(q / p): f = -log u."""

    threshold: ClassVar[float] = -1.0

    def f(self, u: Tensor) -> Tensor:
        """-log u."""
        return -u.log()

    def activation(self, v: Tensor) -> Tensor:
        """-exp(v), which falls with v."""
        return -v.exp()

    def conjugate(self, t: Tensor) -> Tensor:
        """-1 - log(-t), t < 0."""
        return -1 - (-t).log()

    def conjugate_at(self, v: Tensor) -> Tensor:
        """-1 - v."""
        return -1 - v


@final
class JensenShannon(AbstractFDivergence):
    """2 JS(P, Q), from 0 to log 4: f = u log u - (u + 1) log((u + 1) / 2)."""

    threshold: ClassVar[float] = 0.0

    def f(self, u: Tensor) -> Tensor:
        """u log u - (u + 1) log((u + 1) / 2)."""
        return torch.xlogy(u, u) - (u + 1) * ((u + 1) / 2).log()

    def activation(self, v: Tensor) -> Tensor:
        """log 2 - log(1 + exp(-v)) = log(2 D) with D = sigma(v)."""
        return math.log(2) - softplus(-v)

    def conjugate(self, t: Tensor) -> Tensor:
        """-log(2 - exp(t)), t < log 2."""
        return -(2 - t.exp()).log()

    def conjugate_at(self, v: Tensor) -> Tensor:
        """log(1 + exp(v)) - log 2."""
        return softplus(v) - math.log(2)


@final
class GANDivergence(AbstractFDivergence):
    """2 JS(P, Q) - log 4, the value of Goodfellow's game: f = u log u - (u + 1) log(u + 1)."""

    threshold: ClassVar[float] = -math.log(2)

    def f(self, u: Tensor) -> Tensor:
        """u log u - (u + 1) log(u + 1), which is -log 4 at u = 1."""
        return torch.xlogy(u, u) - (u + 1) * u.log1p()

    def activation(self, v: Tensor) -> Tensor:
        """-log(1 + exp(-v)) = log D with D = sigma(v)."""
        return -softplus(-v)

    def conjugate(self, t: Tensor) -> Tensor:
        """-log(1 - exp(t)), t < 0."""
        return -(-t.expm1()).log()

    def conjugate_at(self, v: Tensor) -> Tensor:
        """log(1 + exp(v)) = -log(1 - D)."""
        return softplus(v)


@final
class Jeffreys(AbstractFDivergence):
    """KL(P || Q) + KL(Q || P): f = (u - 1) log u."""

    threshold: ClassVar[float] = 0.0

    def f(self, u: Tensor) -> Tensor:
        """(u - 1) log u."""
        return (u - 1) * u.log()

    def activation(self, v: Tensor) -> Tensor:
        """v."""
        return v

    def conjugate(self, t: Tensor) -> Tensor:
        """W + 1 / W + t - 2 with W = W(exp(1 - t)), Lambert's; the supremum is at u = 1 / W."""
        log_w = log_lambert_w(1 - t)
        return (-log_w).expm1() - log_w  # as W = 1 - t - log W; no digits are lost near t = 0

    def conjugate_at(self, v: Tensor) -> Tensor:
        """The conjugate itself."""
        return self.conjugate(v)


@final
class Pearson(AbstractFDivergence):
    """Pearson's chi-square, E_Q (p / q - 1)^2: f = (u - 1)^2."""

    threshold: ClassVar[float] = 0.0

    def f(self, u: Tensor) -> Tensor:
        """(u - 1)^2."""
        return (u - 1).square()

    def activation(self, v: Tensor) -> Tensor:
        """v."""
        return v

    def conjugate(self, t: Tensor) -> Tensor:
        """t^2 / 4 + t, the supremum over all real u; over u >= 0 it would stay -1 below t = -2."""
        return t.square() / 4 + t

    def conjugate_at(self, v: Tensor) -> Tensor:
        """v^2 / 4 + v."""
        return v.square() / 4 + v


@final
class Neyman(AbstractFDivergence):
    """Neyman's chi-square, E_P (q / p - 1)^2: f = (1 - u)^2 / u."""

    threshold: ClassVar[float] = 0.0

    def f(self, u: Tensor) -> Tensor:
        """(1 - u)^2 / u."""
        return (1 - u).square() / u

    def activation(self, v: Tensor) -> Tensor:
        """1 - exp(v), which falls with v."""
        return -v.expm1()

    def conjugate(self, t: Tensor) -> Tensor:
        """2 - 2 sqrt(1 - t), t <= 1."""
        return 2 - 2 * (1 - t).sqrt()

    def conjugate_at(self, v: Tensor) -> Tensor:
        """2 - 2 exp(v / 2)."""
        return -2 * (v / 2).expm1()


@final
class SquaredHellinger(AbstractFDivergence):
    """The integral of (sqrt p - sqrt q)^2, from 0 to 2: f = (sqrt u - 1)^2."""

    threshold: ClassVar[float] = 0.0

    def f(self, u: Tensor) -> Tensor:
        """(sqrt u - 1)^2."""
        return (u.sqrt() - 1).square()

    def activation(self, v: Tensor) -> Tensor:
        """1 - exp(v), which falls with v."""
        return -v.expm1()

    def conjugate(self, t: Tensor) -> Tensor:
        """t / (1 - t), t < 1."""
        return t / (1 - t)

    def conjugate_at(self, v: Tensor) -> Tensor:
        """exp(-v) - 1."""
        return (-v).expm1()


@final
class TotalVariation(AbstractFDivergence):
    """Half the integral of abs(p - q), from 0 to 1: f = abs(u - 1) / 2."""

    threshold: ClassVar[float] = 0.0  # in the middle of the subgradients at u = 1

    def f(self, u: Tensor) -> Tensor:
        """abs(u - 1) / 2."""
        return (u - 1).abs() / 2

    def activation(self, v: Tensor) -> Tensor:
        """tanh(v) / 2, which reaches the optimal critic's -1/2 and 1/2 only in the limit."""
        return v.tanh() / 2

    def conjugate(self, t: Tensor) -> Tensor:
        """t for t in [-1/2, 1/2]; the supremum over u >= 0 goes on as -1/2 below that."""
        return t

    def conjugate_at(self, v: Tensor) -> Tensor:
        """tanh(v) / 2."""
        return v.tanh() / 2


def discriminator_loss(
    v_real: Tensor, v_fake: Tensor, *, divergence: AbstractFDivergence
) -> Tensor:
    r"""D's cost, minus the bound on the divergence: Nowozin et al. 2016, Eq. 6.

    .. math:: L_D = -(E_x[g_f(V(x))] - E_z[f^*(g_f(V(G(z))))])

    Args:
        v_real: V of real samples, any shape.
        v_fake: V of generated samples, any shape.
        divergence: f.

    Returns:
        The cost, a scalar, in float32 or the outputs' higher precision.
    """
    real = divergence.activation(at_least_float32(v_real)).mean()
    return divergence.conjugate_at(at_least_float32(v_fake)).mean() - real


def generator_loss(v_fake: Tensor, *, divergence: AbstractFDivergence) -> Tensor:
    r"""G's cost in the saddle point game: Nowozin et al. 2016, Eq. 6.

    .. math:: L_G = -E_z[f^*(g_f(V(G(z))))]

    Args:
        v_fake: V of generated samples, any shape.
        divergence: f.

    Returns:
        The cost, a scalar.
    """
    return -divergence.conjugate_at(at_least_float32(v_fake)).mean()


def alternative_generator_loss(v_fake: Tensor, *, divergence: AbstractFDivergence) -> Tensor:
    r"""G's cost with the trick of Nowozin et al. 2016, section 3.2: T is to be large at fakes.

    .. math:: L_G = -E_z[g_f(V(G(z)))]

    Args:
        v_fake: V of generated samples, any shape.
        divergence: f.

    Returns:
        The cost, a scalar.
    """
    return -divergence.activation(at_least_float32(v_fake)).mean()


def decision(v: Tensor, *, divergence: AbstractFDivergence) -> Tensor:
    """g_f(v) - f'(1), positive where D says "real": Nowozin et al. 2016, Table 6."""
    return divergence.activation(at_least_float32(v)) - divergence.threshold
