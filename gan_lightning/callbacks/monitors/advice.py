"""What to try about a failure, suited to the family that is running."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gan_lightning.callbacks.monitors import remedies as r
from gan_lightning.families.base import AbstractGAN

__all__ = ["advice"]

_Remedy = Callable[[AbstractGAN], str | None]
_MOST = 5

# By kind, the most promising first; what does not apply to a family is passed over.
_TABLE: Mapping[str, tuple[_Remedy, ...]] = {
    "mode collapse": (
        r.larger_small_latent, r.pack, r.lower_generator_rate, r.alternate, r.gradient_penalty,
        r.penalty_instead_of_clipping, r.unroll, r.larger_latent, r.heavier_penalty,
        r.larger_batch,
    ),
    "partial mode collapse": (
        r.larger_small_latent, r.pack, r.gradient_penalty, r.penalty_instead_of_clipping,
        r.lower_generator_rate, r.larger_latent, r.larger_batch, r.unroll, r.wasserstein,
    ),
    "discriminator wins": (
        r.non_saturating, r.gradient_penalty, r.larger_small_latent, r.larger_small_kernels,
        r.lower_discriminator_rate, r.smooth_labels, r.fewer_discriminator_steps,
        r.heavier_penalty, r.penalty_instead_of_clipping, r.wasserstein, r.larger_latent,
        r.larger_kernels,
    ),
    "generator wins": (
        r.more_discriminator_steps, r.larger_small_latent, r.larger_small_kernels,
        r.lower_generator_rate, r.penalty_instead_of_clipping, r.raise_discriminator_rate,
        r.lighter_penalty, r.larger_discriminator, r.larger_latent, r.larger_kernels,
    ),
    "no progress": (
        r.check_range, r.larger_small_latent, r.larger_small_kernels, r.lower_both_rates,
        r.non_saturating, r.penalty_instead_of_clipping, r.gradient_penalty, r.larger_latent,
        r.larger_kernels, r.larger_discriminator,
    ),
    "oscillation": (
        r.alternate, r.gradient_penalty, r.lower_both_rates, r.less_momentum,
        r.penalty_instead_of_clipping, r.average, r.heavier_penalty, r.decay_rates,
        r.longer_average, r.larger_latent, r.larger_kernels,
    ),
    "divergence": (
        r.more_precision, r.lower_both_rates, r.alternate, r.gradient_penalty, r.smaller_clip,
        r.heavier_penalty, r.clip_gradients, r.less_momentum, r.check_range, r.spectral_norm,
    ),
    "overfitting": (
        r.more_data, r.gradient_penalty, r.heavier_penalty, r.smaller_discriminator,
        r.stop_earlier, r.lower_discriminator_rate, r.spectral_norm,
    ),
    "copying": (
        r.more_data, r.stop_earlier, r.smaller_generator, r.smaller_discriminator,
        r.gradient_penalty,
    ),
}  # fmt: skip

# What is always said, if it applies: the failure guide's own remedies.
_COLLAPSE = (r.lower_generator_rate, r.larger_latent)
_NON_CONVERGENCE = (r.larger_latent, r.larger_kernels)
_ALWAYS: Mapping[str, tuple[_Remedy, ...]] = {
    "mode collapse": _COLLAPSE,
    "partial mode collapse": _COLLAPSE,
    "discriminator wins": (*_NON_CONVERGENCE, r.lower_discriminator_rate),
    "generator wins": (*_NON_CONVERGENCE, r.lower_generator_rate),
    "no progress": (*_NON_CONVERGENCE, r.lower_both_rates),
    "oscillation": (*_NON_CONVERGENCE, r.lower_both_rates),
}


def advice(kind: str, module: AbstractGAN) -> tuple[str, ...]:
    """What to try, the most promising first.

    Args:
        kind: Of failure, as in `Finding`.
        module: The family that runs. It is asked for what it is and what it has, so that nothing is
            named that it refuses or does already.

    Returns:
        Two to five phrases, each with its source where it has one; none for a kind that is not in
        the table.
    """
    phrases = [phrase for remedy in _TABLE.get(kind, ()) if (phrase := remedy(module))]
    always = {remedy(module) for remedy in _ALWAYS.get(kind, ())} - {None}
    spare = _MOST - len(always)
    chosen: list[str] = []
    for phrase in dict.fromkeys(phrases):
        if phrase in always:
            chosen.append(phrase)
        elif spare > 0:
            chosen.append(phrase)
            spare -= 1
    return tuple(chosen)
