"""Remedies: each says in a phrase what to change in a game, or None where it does not apply.

A remedy asks the family for its traits and settings, never for its name. What a game has already is
not proposed again.
"""

from __future__ import annotations

import math

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.callbacks.monitors.traits import (
    ClipsWeights,
    LooksAhead,
    discriminator_has,
    has_two_networks,
    is_pyramid,
    largest_kernel,
    layers,
    penalties,
    saturates,
    setting,
)
from gan_lightning.families.base import AbstractGAN, HasRealTarget

_SMALL_LATENT = (
    2  # the failure guide breaks a GAN by one dimension; 32 in place of 4 changed nothing
)
_SMALL_KERNEL = 4  # sides below it are small
_MANY_STEPS = 5  # as WGAN has
_APART = 5  # times that a learning rate is above the other


# --- learning rates and optimizers --------------------------------------------------------------


def lower_generator_rate(module: AbstractGAN) -> str | None:
    """For a G that runs away from D."""
    return f"lower the generator's learning rate{_rate(module, 'generator')}"


def lower_discriminator_rate(module: AbstractGAN) -> str | None:
    """For a D that runs away from G, or learns the training set by heart."""
    return f"lower the discriminator's learning rate{_rate(module, 'discriminator')}"


def lower_both_rates(module: AbstractGAN) -> str | None:
    """For a game that does not settle."""
    rates = [setting(module, player, "lr") for player in ("generator", "discriminator")]
    now = "" if None in rates else " (now G {:.3g}, D {:.3g})".format(*map(float, rates))
    return f"lower both learning rates{now}"


def equal_rates(module: AbstractGAN) -> str | None:
    """For players of which one learns many times faster than the other."""
    rates = [setting(module, player, "lr") for player in ("generator", "discriminator")]
    if None in rates:
        return None
    g, d = map(float, rates)
    if min(g, d) <= 0 or max(g, d) < _APART * min(g, d):
        return None
    return f"bring the learning rates together (now G {g:.3g}, D {d:.3g})"


def raise_discriminator_rate(module: AbstractGAN) -> str | None:
    """For a D that lags behind: two time scales, as in Heusel et al. 2017."""
    rates = [setting(module, player, "lr") for player in ("generator", "discriminator")]
    if None not in rates and float(rates[1]) > float(rates[0]):
        return None
    now = _rate(module, "discriminator")
    return (
        f"raise the discriminator's learning rate{now} above the generator's (Heusel et al. 2017)"
    )


def less_momentum(module: AbstractGAN) -> str | None:
    """Momentum drives a game around its equilibrium."""
    betas = [setting(module, player, "betas") for player in ("generator", "discriminator")]
    momentum = max((float(b[0]) for b in betas if b is not None), default=0.0)
    if momentum <= 0.5:
        return None
    return f"lower Adam's beta1 to 0.5 or 0 (now {momentum:.3g}) (Radford et al. 2016)"


def decay_rates(module: AbstractGAN) -> str | None:
    """Steps that shrink end a rotation."""
    if module.generator_scheduler is not None or module.discriminator_scheduler is not None:
        return None
    return "let both learning rates decay (`generator_scheduler`, `discriminator_scheduler`)"


def clip_gradients(module: AbstractGAN) -> str | None:
    """For a single step that ruins all."""
    if module.clip_generator is not None:
        return None
    return "clip the generator's gradient (`clip_generator=1`)"


def more_precision(module: AbstractGAN) -> str | None:
    """Half precision overflows at 65,504."""
    try:
        precision = str(module.trainer.precision)
    except RuntimeError:
        return None
    if not precision.startswith("16"):
        return None
    return f"train with `precision='bf16-mixed'` or '32-true' (now '{precision}')"


def _rate(module: AbstractGAN, player: str) -> str:
    """The learning rate in brackets, or nothing if it is not known."""
    rate = setting(module, player, "lr")
    return "" if rate is None else f" (now {float(rate):.3g})"


# --- networks and data --------------------------------------------------------------------------


def larger_latent(module: AbstractGAN) -> str | None:
    """A latent space smaller than the data's cannot cover them."""
    return f"enlarge the latent dimension (now {module.latent_dim}) (Brownlee 2019)"


def larger_small_latent(module: AbstractGAN) -> str | None:
    """The same, where it is the likely cause."""
    return larger_latent(module) if module.latent_dim < _SMALL_LATENT else None


def larger_kernels(module: AbstractGAN) -> str | None:
    """Kernels that see too little of an image."""
    side = largest_kernel(module)
    return f"enlarge the convolutions' kernels (now at most {side})" if side > 0 else None


def larger_small_kernels(module: AbstractGAN) -> str | None:
    """The same, where it is the likely cause."""
    return larger_kernels(module) if largest_kernel(module) < _SMALL_KERNEL else None


def pack(module: AbstractGAN) -> str | None:
    """A D that sees several samples at once sees that they are alike."""
    packed = module.samples_per_input > 1
    if packed or module.unpacked_because is not None or is_pyramid(module):
        return None
    return "let D judge pairs of samples: `PacGAN`, or `networks.Packed` here (Lin et al. 2018)"


def spectral_norm(module: AbstractGAN) -> str | None:
    """A D of bounded slope."""
    bounded = isinstance(module, ClipsWeights) or "gradient_penalty" in penalties(module)
    if bounded or any(map(is_parametrized, layers(module.discriminator_modules()))):
        return None
    return "normalise the discriminator's weights spectrally (Miyato et al. 2018)"


def smaller_discriminator(module: AbstractGAN) -> str | None:
    """Fewer weights remember less."""
    return "make the discriminator smaller"


def larger_discriminator(module: AbstractGAN) -> str | None:
    """A D that cannot tell what is wrong."""
    return "make the discriminator wider or deeper"


def smaller_generator(module: AbstractGAN) -> str | None:
    """Fewer weights copy less."""
    return "make the generator smaller"


def check_range(module: AbstractGAN) -> str | None:
    """G ends in tanh: data in [0, 1] or [0, 255] are out of its reach, and D's logits explode."""
    if not any(isinstance(layer, nn.Tanh) for layer in layers(module.generator_modules())):
        return None
    return "check that the data lie in [-1, 1], as the generator's output does"


def more_data(module: AbstractGAN) -> str | None:
    """What D or G knows by heart."""
    return "train on more images, or on randomly changed ones (Karras et al. 2020)"


def stop_earlier(module: AbstractGAN) -> str | None:
    """The checkpoints before it are the best there are."""
    return "stop earlier and take a checkpoint from before this step"


def larger_batch(module: AbstractGAN) -> str | None:
    """More modes in a batch."""
    return "enlarge the batch (Brock et al. 2019)"


# --- the game -----------------------------------------------------------------------------------


def smooth_labels(module: AbstractGAN) -> str | None:
    """Only a loss with a target for reals has one to soften."""
    if not isinstance(module, HasRealTarget) or module.real_target < 1:
        return None
    return "soften D's target: `LabelSmoothing(0.9)` (Salimans et al. 2016)"


def gradient_penalty(module: AbstractGAN) -> str | None:
    """A D that stays smooth at the data; a clipped one has `penalty_instead_of_clipping`."""
    if penalties(module) or is_pyramid(module) or isinstance(module, ClipsWeights):
        return None
    return "add a gradient penalty: `regularizers=[R1()]` (Mescheder et al. 2018)"


def heavier_penalty(module: AbstractGAN) -> str | None:
    """A penalty that is there, but does not suffice."""
    names = penalties(module)
    return f"raise the weight of `{names[0]}`" if names else None


def lighter_penalty(module: AbstractGAN) -> str | None:
    """A penalty that holds D down."""
    names = penalties(module)
    return f"lower the weight of `{names[0]}`" if names else None


def non_saturating(module: AbstractGAN) -> str | None:
    """A cost whose gradient lives on when D wins."""
    if not saturates(module):
        return None
    return "train G on the non-saturating cost: `NonSaturatingGAN` (Goodfellow et al. 2014)"


def penalty_instead_of_clipping(module: AbstractGAN) -> str | None:
    """Clipped critics are too simple, and their gradients explode or vanish."""
    if not isinstance(module, ClipsWeights):
        return None
    return f"replace weight clipping by a gradient penalty: `WGANGP`{_no_batch_norm(module)}"


def wasserstein(module: AbstractGAN) -> str | None:
    """A distance that has a gradient where the supports do not meet."""
    if not isinstance(module, HasRealTarget) or not has_two_networks(module):
        return None
    return f"train as a `WGANGP`{_no_batch_norm(module)}"


def _no_batch_norm(module: AbstractGAN) -> str:
    without = discriminator_has(module, _BatchNorm)
    return f"{', without batch norm in D' if without else ''} (Gulrajani et al. 2017)"


def smaller_clip(module: AbstractGAN) -> str | None:
    """Weights in a smaller box."""
    if not isinstance(module, ClipsWeights):
        return None
    return f"lower `clip` (now {module.clip:.3g})"


def unroll(module: AbstractGAN) -> str | None:
    """A G that foresees D's answer to a collapse."""
    if isinstance(module, LooksAhead):
        return f"look further ahead: raise `unrolling` (now {module.unrolling})"
    if not isinstance(module, HasRealTarget) or not has_two_networks(module):
        return None
    return "let G look ahead: `UnrolledGAN` (Metz et al. 2017)"


def alternate(module: AbstractGAN) -> str | None:
    """Moving at once turns the game outwards."""
    if module.updates == "alternating":
        return None
    return "let the players move in turn: `updates='alternating'` (Gidel et al. 2019)"


def average(module: AbstractGAN) -> str | None:
    """The average of a rotation lies at its centre."""
    if module.ema_halflife is not None:
        return None
    return "average the generator: `ema_halflife=10_000` (Yazıcı et al. 2019)"


def longer_average(module: AbstractGAN) -> str | None:
    """An average over more than one turn."""
    if module.ema_halflife is None or not math.isfinite(module.ema_halflife):
        return None
    return f"raise `ema_halflife` (now {module.ema_halflife:,.0f} images)"


def fewer_discriminator_steps(module: AbstractGAN) -> str | None:
    """A critic without a target should be ahead; any other D should not."""
    k = module.discriminator_steps
    if k == 1 or not isinstance(module, HasRealTarget):
        return None
    return f"lower `discriminator_steps` (now {k})"


def more_discriminator_steps(module: AbstractGAN) -> str | None:
    """A D that is behind."""
    k = module.discriminator_steps
    if k >= _MANY_STEPS:
        return None
    return f"raise `discriminator_steps` (now {k}) (Goodfellow et al. 2014)"
