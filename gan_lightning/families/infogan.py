"""InfoGAN: part of z is a code that the samples shall give away.

Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
Generative Adversarial Nets" (arXiv:1606.03657), Eq. 5 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import Tensor, nn

from gan_lightning._seeds import mix
from gan_lightning.families._loop import checks
from gan_lightning.families._loop.averaging import evaluating
from gan_lightning.families._loop.latent import latent
from gan_lightning.families._loop.networks import require_features, with_features
from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import goodfellow, information

_HEAD_WIDTH = 128  # of Q's hidden layer: Chen et al. 2016, appendix C
_BATCH = 256
_CODES = 6  # second word of the seed of `latent`'s codes; its noise takes the seed as it is


class Codes(NamedTuple):
    """The part of z that samples shall give away."""

    categorical: Sequence[Tensor]  # a class of each code, int64 (N,)
    continuous: Tensor  # (N, continuous), in [-1, 1]


@final
class InfoGAN(AbstractAlternatingGAN):
    """The non-saturating game plus a bound on the information that samples keep of their codes.

    z = (noise, one-hot categorical codes, continuous codes): noise ~ N(0, I), classes uniform,
    continuous codes ~ U(-1, 1). Q(c | x) is a head on D's features (Linear, LeakyReLU, Linear) that
    belongs to G's player: G's turn trains G and the head on the information term, while D's own
    layers stay put.

    Args:
        *args: As in `AbstractGAN`; `latent_dim` counts all of z, and `discriminator` has features.
        categorical: The number of classes of each categorical code.
        continuous: Number of continuous codes.
        categorical_weight: Weight of the categorical codes' information, the paper's lambda.
        continuous_weight: Weight of the continuous codes' information.
        trunk_information: Whether D's cost has the information term as well, so that D's features
            serve Q too, as in the authors' code. The head waits in D's turn all the same.
        **kwargs: As in `AbstractGAN`.

    Attributes:
        noise_dim: Numbers of z that are no code.
        q_head: `(N, feature_dim)` to categorical logits, then means, then raw log-stds.

    Raises:
        ValueError: When the codes leave no noise in `latent_dim`, a code or weight is out of range,
            or the discriminator has no features.

    References:
        Chen et al. 2016. https://arxiv.org/abs/1606.03657
    """

    unconditional_because: ClassVar[str | None] = (
        "its codes take the place of labels, which nobody needs to know"
    )
    unpacked_because: ClassVar[str | None] = "Q reads the codes of single samples"

    def __init__(
        self,
        *args: Any,
        categorical: Sequence[int] = (10,),
        continuous: int = 2,
        categorical_weight: float = 1.0,
        continuous_weight: float = 0.1,
        trunk_information: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        checks.non_negative("categorical_weight", categorical_weight)
        checks.non_negative("continuous_weight", continuous_weight)
        self.categorical = tuple(categorical)
        self.continuous = continuous
        self.categorical_weight = categorical_weight
        self.continuous_weight = continuous_weight
        self.trunk_information = trunk_information
        self.noise_dim = _noise_dim(self.latent_dim, self.categorical, continuous)
        feature_dim = require_features(self.discriminator, "InfoGAN", "whose Q reads them")
        self.q_head = nn.Sequential(
            nn.Linear(feature_dim, _HEAD_WIDTH),
            nn.LeakyReLU(0.1),  # the paper's leak
            nn.Linear(_HEAD_WIDTH, sum(self.categorical) + 2 * continuous),
        ).to(next(self.discriminator.parameters()))

    def generator_modules(self) -> Sequence[nn.Module]:
        """Q's head moves with G."""
        return [self.generator, self.q_head]

    # --- the game --------------------------------------------------------------------------------

    def discriminator_loss(self, x: Tensor) -> Objective:
        """The non-saturating game's L_D; with `trunk_information` minus the information as well."""
        z, codes = self.coded_noise(len(x))
        x_fake = self.generator(z)
        d_real = self.discriminator(x)
        d_fake, features = with_features(self.discriminator, x_fake)
        loss = goodfellow.discriminator_loss(d_real, d_fake)
        if self.trunk_information:
            loss = loss - self._information(features, codes)[0]
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x: Tensor) -> Objective:
        """L_G = -E log D(G(z, c)) - lambda L_I(G, Q): Eq. 6."""
        z, codes = self.coded_noise(len(x))
        x_fake = self.generator(z)
        d_fake, features = with_features(self.discriminator, x_fake)
        information, logs = self._information(features, codes)
        loss = goodfellow.non_saturating_generator_loss(d_fake) - information
        return Objective(loss, d_fake=d_fake, x_fake=x_fake, logs=logs)

    def coded_noise(self, n: int) -> tuple[Tensor, Codes]:
        """z `(n, latent_dim)` of this (micro-)batch and the codes in it."""
        noise = self.normal(n, self.noise_dim)
        classes = [self.draws.integers(n, k) for k in self.categorical]
        codes = Codes(classes, 2 * self.uniform(n, self.continuous) - 1)
        return self._joined(noise, codes), codes

    def noise(self, n: int) -> Tensor:
        """z with its codes, `(n, latent_dim)`."""
        return self.coded_noise(n)[0]

    def _information(self, features: Tensor, codes: Codes) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted bound L_I, and its parts in nats."""
        logits, mean, log_std = self._q(features)
        logs: dict[str, Tensor] = {}
        if logits:
            pairs = zip(logits, codes.categorical, strict=True)
            parts = [information.categorical_information(q, c) for q, c in pairs]
            logs["information/categorical"] = torch.stack(parts).sum()
        if self.continuous:
            bound = information.continuous_information(mean, log_std, codes.continuous)
            logs["information/continuous"] = bound
        weights = {"categorical": self.categorical_weight, "continuous": self.continuous_weight}
        weighted = [weights[name.removeprefix("information/")] * v for name, v in logs.items()]
        return torch.stack(weighted).sum(), logs

    def _q(self, features: Tensor) -> tuple[Sequence[Tensor], Tensor, Tensor]:
        """Categorical logits of each code, means and log-stds of the continuous ones."""
        sizes = [*self.categorical, self.continuous, self.continuous]
        *logits, mean, raw = torch.split(self.q_head(features), sizes, dim=1)
        return logits, mean, information.bounded_log_std(raw)

    def _joined(self, noise: Tensor, codes: Codes) -> Tensor:
        pairs = zip(codes.categorical, self.categorical, strict=True)
        one_hots = [nn.functional.one_hot(c, k).to(noise) for c, k in pairs]
        return torch.cat([noise, *one_hots, codes.continuous.to(noise)], dim=1)

    # --- for users -------------------------------------------------------------------------------

    def latent(self, n: int, seed: int | None = None, truncation: float | None = None) -> Tensor:
        """z `(n, latent_dim)` with its codes, float64 on the CPU; only the noise is truncated."""
        if seed is None:
            seed = int(torch.randint(2**62, ()))
        noise = latent(n, self.noise_dim, seed, truncation)
        random = torch.Generator().manual_seed(mix(seed, _CODES))
        classes = [torch.randint(k, (n,), generator=random) for k in self.categorical]
        uniform = torch.rand(n, self.continuous, generator=random, dtype=torch.float64)
        return self._joined(noise, Codes(classes, 2 * uniform - 1))

    def posterior(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Q(c | x): what D and the head, in evaluation mode, make of samples.

        Args:
            x: Samples `(N, C, H, W)` in [-1, 1] or `(N, D)`, on any device.

        Returns:
            Class probabilities `(N, k)` of each categorical code, and the continuous codes' means
            `(N, continuous)`.
        """
        like = next(self.discriminator.parameters())
        with torch.no_grad(), evaluating(self.discriminator, self.q_head):
            parts = [
                with_features(self.discriminator, p.to(like))[1] for p in torch.split(x, _BATCH)
            ]
            logits, mean, _ = self._q(torch.cat(parts))
            return [q.softmax(1) for q in logits], mean

    def traverse(
        self, code: int, rows: int = 10, columns: int = 10, limit: float = 1.5, seed: int = 0
    ) -> Tensor:
        """Samples along one code, for a grid: in a row nothing changes but that code.

        Args:
            code: Its number, from 0: categorical codes first, then continuous ones.
            rows: Number of rows; each has noise and other codes of its own.
            columns: Values of a continuous code; a categorical one takes all of its classes.
            limit: A continuous code runs from -limit to limit. Training has seen [-1, 1]; the
                paper's figures go to 2.
            seed: Of noise and codes.

        Returns:
            Samples `(rows * columns, ...)`, row after row.

        Raises:
            ValueError: When there is no such code.
        """
        number = len(self.categorical) + self.continuous
        if not 0 <= code < number:
            raise ValueError(f"`code` must lie in 0, ..., {number - 1} but got {code}.")
        start = self.noise_dim + sum(self.categorical[:code])
        if code < len(self.categorical):
            values = torch.eye(self.categorical[code], dtype=torch.float64)
        else:
            start += code - len(self.categorical)
            values = torch.linspace(-limit, limit, columns, dtype=torch.float64)[:, None]
        z = self.latent(rows, seed).repeat_interleave(len(values), dim=0)
        z[:, start : start + values.shape[1]] = values.repeat(rows, 1)
        return self.sample(len(z), z=z)


def _noise_dim(latent_dim: int, categorical: Sequence[int], continuous: int) -> int:
    """What the codes leave of z.

    Raises:
        ValueError: When that is nothing, or there are no codes.
    """
    for k in categorical:
        if isinstance(k, bool) or not isinstance(k, int) or k < 2:
            raise ValueError(f"`categorical` must hold integers of at least 2 but got {k!r}.")
    if isinstance(continuous, bool) or not isinstance(continuous, int) or continuous < 0:
        raise ValueError(f"`continuous` must be an integer of at least 0 but got {continuous!r}.")
    codes = sum(categorical) + continuous
    if codes == 0:
        raise ValueError("`categorical` or `continuous` must name a code but there is none.")
    if codes >= latent_dim:
        raise ValueError(
            f"`latent_dim` must be more than the {codes} numbers of the codes (categorical "
            f"{tuple(categorical)}, continuous {continuous}), so that noise is left, but got "
            f"{latent_dim}."
        )
    return latent_dim - codes
