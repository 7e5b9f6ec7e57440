"""Samples and codes in one game: bidirectional GANs.

Donahue, Krähenbühl, Darrell 2017, "Adversarial Feature Learning" (arXiv:1605.09782), Eq. 2 and 3;
Dumoulin et al. 2017, "Adversarially Learned Inference" (arXiv:1606.00704), Algorithm 1. They are
one game, found twice; ALI's encoder is stochastic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from gan_lightning.families._loop import checks
from gan_lightning.families._loop.averaging import averaged_copy, evaluating
from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import goodfellow as losses

_BATCH = 256


@runtime_checkable
class MayBeStochastic(Protocol):
    """An encoder that says whether it gives mean and log variance in place of a code."""

    stochastic: bool


@final
class BiGAN(AbstractAlternatingGAN):
    """An encoder E beside the generator; D tells the pairs (x, E(x)) and (G(z), z) apart.

    E and G are one player. Where they win, E is G's inverse.

    Args:
        *args: As in `AbstractGAN`; `discriminator(x, z)` judges pairs.
        encoder: Maps samples to codes `(N, latent_dim)`. With an attribute `stochastic` that is
            True, to mean and log variance of a normal distribution, `(N, 2, latent_dim)`: ALI.
        **kwargs: As in `AbstractGAN`.

    Attributes:
        encoder_ema: The averaged encoder, or None without `ema_halflife`.

    Raises:
        ValueError: When `encoder` is not a network.

    References:
        Adversarial Feature Learning (Donahue et al., 2017) https://arxiv.org/abs/1605.09782
        Adversarially Learned Inference (Dumoulin et al., 2017) https://arxiv.org/abs/1606.00704
    """

    unconditional_because: ClassVar[str | None] = "its encoder and its discriminator take no labels"

    def __init__(self, *args: Any, encoder: nn.Module, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(encoder, nn.Module):
            raise ValueError(f"`encoder` must be a network (nn.Module) but got {encoder!r}.")
        self.encoder = encoder
        self.encoder_ema = averaged_copy(encoder) if self.ema_halflife else None

    @property
    def stochastic(self) -> bool:
        """Whether the encoder draws its codes."""
        return isinstance(self.encoder, MayBeStochastic) and bool(self.encoder.stochastic)

    def generator_modules(self) -> Sequence[nn.Module]:
        """G and E move together."""
        return [self.generator, self.encoder]

    def averages(self) -> Sequence[tuple[nn.Module, nn.Module]]:
        """E is averaged as G is."""
        pairs = super().averages()
        return pairs if self.encoder_ema is None else [*pairs, (self.encoder_ema, self.encoder)]

    # --- the game --------------------------------------------------------------------------------

    def inputs(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """What D is shown of real samples: x and z_hat."""
        return (x, self._code(self.encoder(x)))

    def discriminator_loss(self, x: Tensor) -> Objective:
        """Cross-entropy of D on the pairs (x, z_hat) and (x_fake, z): Donahue et al., Eq. 3."""
        real, fake = self._pairs(x)
        d_real, d_fake = self.judge(*real), self.judge(*fake)
        loss = losses.discriminator_loss(d_real, d_fake)
        return Objective(loss, d_real, d_fake, x_fake=fake[0], real=real, fake=fake)

    def generator_loss(self, x: Tensor) -> Objective:
        """D's cost with the roles of the pairs exchanged, non-saturating for E and for G."""
        real, fake = self._pairs(x)
        d_real, d_fake = self.judge(*real), self.judge(*fake)
        loss = losses.discriminator_loss(d_real=d_fake, d_fake=d_real)
        return Objective(loss, d_fake=d_fake, x_fake=fake[0], real=real, fake=fake)

    def _pairs(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(x, z_hat) and (x_fake, z)."""
        z = self.noise(len(x))
        return self.inputs(x), (self.generator(z), z)

    def _code(self, encoded: Tensor) -> Tensor:
        """z_hat `(N, latent_dim)`: what E gives, or mu + sigma eps (Dumoulin et al.)."""
        if not self.stochastic:
            return encoded
        mean, log_variance = encoded.unbind(1)
        eps = self.normal(len(encoded), self.latent_dim)
        return mean + (log_variance / 2).exp() * eps

    # --- what E is for ---------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """Codes of samples by the averaged encoder in evaluation mode.

        Args:
            x: Samples `(n, *image_shape)`.

        Returns:
            `(n, latent_dim)` on the module's device; of a stochastic encoder the means.
        """
        network = self.encoder if self.encoder_ema is None else self.encoder_ema
        like = next(network.parameters())
        with torch.no_grad(), evaluating(network):
            codes = torch.cat([network(chunk.to(like)) for chunk in torch.split(x, _BATCH)])
        return codes[:, 0] if self.stochastic else codes

    def reconstruct(self, x: Tensor) -> Tensor:
        """The averaged generator's samples of the codes of x, `(n, *image_shape)`."""
        return self.sample(len(x), z=self.encode(x))

    # --- what it refuses -------------------------------------------------------------------------

    def check_networks(self, x: Tensor, *given: Tensor) -> None:
        """Refuse an encoder, generator or discriminator that does not fit the data.

        Raises:
            ValueError: When shapes disagree.
        """
        z = self.latent(len(x), seed=0).to(x)
        with torch.no_grad(), evaluating(self.generator, self.encoder, self.discriminator):
            with checks.runs("generator", f"z of shape {tuple(z.shape)}"):
                x_fake = self.generator(z)
            checks.same_shape(x, x_fake)
            with checks.runs("encoder", f"samples of shape {tuple(x.shape)}"):
                encoded = self.encoder(x)
            self._check_codes(encoded, len(x))
            z_hat = self._code(encoded)
            shapes = f"samples of shape {tuple(x.shape)} with codes of shape {tuple(z_hat.shape)}"
            with (
                checks.runs("discriminator", shapes),
                checks.no_probability(self.discriminator) as returned,
            ):
                returned.append(self.judge(x, z_hat))
            checks.one_logit(len(x), returned[0], self.samples_per_input)

    def _check_codes(self, encoded: object, n: int) -> None:
        kind = "mean and log variance" if self.stochastic else "codes"
        shape = (n, 2, self.latent_dim) if self.stochastic else (n, self.latent_dim)
        found = tuple(encoded.shape) if isinstance(encoded, Tensor) else type(encoded).__name__
        if found != shape:
            raise ValueError(
                f"`encoder` must return a tensor with {kind} of shape {shape} but gives {found}."
            )
