"""What to try about a failure, suited to the family that is running."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gan_lightning.callbacks.monitors import remedies as r
from gan_lightning.families.base import AbstractGAN

__all__ = ["advice"]

_Remedy = Callable[[AbstractGAN], str | None]
_MOST = 5

# By kind, the most promising first; what does not apply to a family is passed over. The order is
# that of benchmarks/results/diagnosis_remedies.md as far as it goes, then that of the literature.
_TABLE: Mapping[str, tuple[_Remedy, ...]] = {
    "mode collapse": (
        r.larger_small_latent, r.more_discriminator_steps, r.wasserstein, r.pack,
        r.lower_generator_rate, r.alternate, r.penalty_instead_of_clipping, r.gradient_penalty,
        r.larger_latent, r.heavier_penalty, r.larger_batch,
    ),
    "partial mode collapse": (
        r.more_discriminator_steps, r.wasserstein, r.pack, r.lower_generator_rate,
        r.penalty_instead_of_clipping, r.larger_small_latent, r.gradient_penalty, r.larger_latent,
        r.larger_batch, r.unroll,
    ),
    "discriminator wins": (
        r.equal_rates, r.lower_discriminator_rate, r.fewer_discriminator_steps,
        r.smooth_labels, r.non_saturating, r.gradient_penalty, r.wasserstein,
        r.larger_small_latent, r.larger_small_kernels, r.heavier_penalty,
        r.penalty_instead_of_clipping, r.larger_latent, r.larger_kernels,
    ),
    "generator wins": (
        r.equal_rates, r.raise_discriminator_rate, r.larger_discriminator, r.lighter_penalty,
        r.more_discriminator_steps, r.larger_small_latent, r.larger_small_kernels,
        r.lower_generator_rate, r.penalty_instead_of_clipping, r.larger_latent, r.larger_kernels,
    ),
    "no progress": (
        r.check_range, r.larger_small_latent, r.larger_small_kernels, r.lower_both_rates,
        r.non_saturating, r.penalty_instead_of_clipping, r.gradient_penalty, r.larger_latent,
        r.larger_kernels, r.larger_discriminator,
    ),
    "oscillation": (
        r.less_momentum, r.penalty_instead_of_clipping, r.average, r.unroll, r.wasserstein,
        r.decay_rates, r.alternate,
        r.larger_small_latent, r.longer_average, r.gradient_penalty, r.lower_both_rates,
        r.heavier_penalty, r.larger_latent, r.larger_kernels,
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

# Runs of failing games that ended healthy with one remedy alone, of how many: the table of
# benchmarks/results/diagnosis_remedies.md. With none of them 0 of 6, 0 of 6, 0 of 4 and 1 of 6 did.
_TRIED: Mapping[tuple[str, _Remedy], tuple[int, int]] = {
    ("mode collapse", r.more_discriminator_steps): (4, 6),
    ("mode collapse", r.wasserstein): (4, 6),
    ("mode collapse", r.pack): (2, 4),
    ("mode collapse", r.lower_generator_rate): (2, 6),
    ("mode collapse", r.larger_latent): (0, 6),
    ("mode collapse", r.larger_small_latent): (0, 6),
    ("mode collapse", r.gradient_penalty): (0, 6),
    ("discriminator wins", r.equal_rates): (5, 6),
    ("discriminator wins", r.lower_discriminator_rate): (0, 6),
    ("discriminator wins", r.gradient_penalty): (0, 6),
    ("discriminator wins", r.wasserstein): (0, 6),
    ("discriminator wins", r.non_saturating): (0, 4),
    ("discriminator wins", r.fewer_discriminator_steps): (0, 4),
    ("discriminator wins", r.larger_latent): (0, 6),
    ("discriminator wins", r.larger_small_latent): (0, 6),
    ("generator wins", r.equal_rates): (2, 2),
    ("generator wins", r.larger_discriminator): (2, 4),
    ("generator wins", r.more_discriminator_steps): (0, 4),
    ("generator wins", r.larger_latent): (0, 4),
    ("generator wins", r.larger_small_latent): (0, 4),
    ("oscillation", r.less_momentum): (4, 6),
    ("oscillation", r.wasserstein): (2, 6),
    ("oscillation", r.decay_rates): (2, 6),
    ("oscillation", r.alternate): (1, 4),
    ("oscillation", r.larger_latent): (2, 6),
    ("oscillation", r.larger_small_latent): (2, 6),
    ("oscillation", r.gradient_penalty): (0, 6),
    ("oscillation", r.lower_both_rates): (0, 6),
}

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
    phrases = [_phrase(kind, remedy, module) for remedy in _TABLE.get(kind, ())]
    always = {_phrase(kind, remedy, module) for remedy in _ALWAYS.get(kind, ())}
    spare = _MOST - len(always - {None})
    chosen: list[str] = []
    for phrase in dict.fromkeys(phrases):
        if phrase is None:
            continue
        if phrase in always:
            chosen.append(phrase)
        elif spare > 0:
            chosen.append(phrase)
            spare -= 1
    return tuple(chosen)


def _phrase(kind: str, remedy: _Remedy, module: AbstractGAN) -> str | None:
    """What to do, with what the trial found of it."""
    phrase, found = remedy(module), _TRIED.get((kind, remedy))
    if phrase is None or found is None:
        return phrase
    return "{} [{} of {} in our trial]".format(phrase, *found)
