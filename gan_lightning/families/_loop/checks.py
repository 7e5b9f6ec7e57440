"""What the loop refuses, each in one sentence: arguments, trainers, networks and batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import lightning
import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor, nn

if TYPE_CHECKING:
    from gan_lightning.families._loop.state import AbstractGAN

_PROBABILITIES = (
    nn.Sigmoid,
    nn.Softmax,
    nn.LogSoftmax,
    nn.LogSigmoid,
    nn.Hardsigmoid,
    nn.Softmax2d,
)
_SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)
_BATCH_NORMS = nn.modules.batchnorm._BatchNorm


def arguments(module: AbstractGAN) -> None:
    """Refuse what no game can be played with."""
    positive_integer("latent_dim", module.latent_dim)
    positive_integer("discriminator_steps", module.discriminator_steps)
    positive_integer("micro_batches", module.micro_batches)
    positive_or_none("clip_generator", module.clip_generator)
    positive_or_none("clip_discriminator", module.clip_discriminator)
    positive_or_none("ema_halflife", module.ema_halflife)
    known_updates(module.updates)
    gives_logits(module.discriminator)
    labels_have_a_use(module)
    if module.samples_per_input > 1 and module.unpacked_because is not None:
        raise ValueError(
            f"`discriminator` must not pack samples for {type(module).__name__}, because "
            f"{module.unpacked_because}, but it packs {module.samples_per_input}."
        )
    if module.micro_batches > 1 and module.whole_batch_because is not None:
        raise ValueError(
            f"`micro_batches` must be 1 for {type(module).__name__}, because "
            f"{module.whole_batch_because}, but got {module.micro_batches}."
        )


def labels_have_a_use(module: AbstractGAN) -> None:
    """Refuse conditions without classes, and on families that cannot hand them on."""
    if module.num_classes is not None:
        positive_integer("num_classes", module.num_classes)
    if not module.conditional:
        return
    if module.unconditional_because is not None:
        raise ValueError(
            f"`conditional` must be False for {type(module).__name__}, because "
            f"{module.unconditional_because}, but got True."
        )
    if module.num_classes is None:
        raise ValueError(
            f"`num_classes` must be given for a conditional {type(module).__name__} but got None."
        )


def positive_integer(name: str, value: int) -> None:
    """Refuse anything but 1, 2, ..."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer but got {value!r}.")


def positive_or_none(name: str, value: float | None) -> None:
    """Refuse anything but None and finite numbers above 0."""
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a positive number or None but got {value!r}.")


def non_negative(name: str, value: float) -> None:
    """Refuse weights below 0.

    Raises:
        ValueError: When the value is negative or not finite.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be a finite number of at least 0 but got {value!r}.")


def gives_logits(discriminator: nn.Module) -> None:
    """Refuse a discriminator that visibly ends in a probability; `no_probability` sees the rest."""
    last: nn.Module | None = discriminator
    while last is not None:
        children = [c for c in last.children() if not isinstance(c, _SHAPES)]
        if not children:
            break
        in_order = isinstance(last, nn.Sequential) or len(children) == 1
        last = children[-1] if in_order else None
    if isinstance(last, _PROBABILITIES):
        raise _returns_probabilities(last)


@contextmanager
def no_probability(discriminator: nn.Module) -> Iterator[list[Tensor]]:
    """Refuse a discriminator whose results, put into the list, a sigmoid or softmax gave."""
    given: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda m, _, out: given.append((m, out)))
        for module in discriminator.modules()
        if isinstance(module, _PROBABILITIES)
    ]
    returned: list[Tensor] = []
    try:
        yield returned
    finally:
        for hook in hooks:
            hook.remove()
    for module, out in given:
        flat = out.flatten()
        if any(torch.equal(flat, logits.flatten()) for logits in returned):
            raise _returns_probabilities(module)


def _returns_probabilities(layer: nn.Module) -> ValueError:
    return ValueError(
        "`discriminator` must return logits or scores without bounds, which the losses need, but "
        f"its last layer is {type(layer).__name__}."
    )


@contextmanager
def runs(network: str, given: str) -> Iterator[None]:
    """Say which network cannot take what it is given."""
    try:
        yield
    except (RuntimeError, TypeError, IndexError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"`{network}` must take {given} but fails on it: {reason}") from error


def parts(batch: Any) -> Sequence[Any]:
    """x and what stands beside it: a batch is x, (x,) or (x, labels)."""
    if isinstance(batch, (tuple, list)):
        if not batch:
            raise ValueError("`batch` must be x, (x,) or (x, labels) but it is empty.")
        return batch
    return (batch,)


def somebody_moves(module: AbstractGAN) -> None:
    """Refuse a player all of whose parameters are frozen."""
    players = {
        "generator": module.generator_modules(),
        "discriminator": module.discriminator_modules(),
    }
    for name, modules in players.items():
        if not any(p.requires_grad for m in modules for p in m.parameters()):
            raise ValueError(f"`{name}` must have a parameter that is not frozen but has none.")


def generator_moves(trainer: lightning.Trainer, discriminator_steps: int) -> None:
    """Refuse a run that ends before the generator's first update."""
    epochs, batches = trainer.max_epochs, trainer.num_training_batches
    if trainer.fast_dev_run or epochs is None or epochs < 0:  # type: ignore[attr-defined]
        return
    if epochs * batches < discriminator_steps:
        raise ValueError(
            f"`discriminator_steps` must be at most the {epochs * batches} batches of the run, or "
            f"the generator never moves, but got {discriminator_steps}."
        )


def trainer_can_train_two_players(trainer: lightning.Trainer) -> None:
    """Refuse strategies that lose a player's gradients, and runs of no steps."""
    strategy = trainer.strategy
    if isinstance(strategy, DDPStrategy):
        if strategy._start_method != "popen":
            raise ValueError(
                "`strategy` must not be one that spawns or forks, because the counts of updates "
                "would be lost with the processes, but got "
                f"'{strategy._start_method}'; start the script with torchrun instead."
            )
        if strategy._ddp_kwargs.get("static_graph"):
            raise ValueError(
                "`static_graph` must be False for a GAN, because the players' graphs take turns, "
                "but got True."
            )
        if not strategy._ddp_kwargs.get("find_unused_parameters"):
            raise ValueError(
                "`strategy` must be 'ddp_find_unused_parameters_true' for a GAN on several "
                "processes, because each player's backward pass leaves the other's parameters "
                "unused, but got a plain 'ddp'."
            )
    elif not isinstance(strategy, SingleDeviceStrategy):
        raise ValueError(
            "`strategy` must be 'auto', a single device or 'ddp_find_unused_parameters_true', "
            f"because others wrap a single optimizer, but got {type(strategy).__name__}."
        )
    for name in ("max_steps", "max_epochs", "limit_train_batches"):
        if getattr(trainer, name) == 0:
            raise ValueError(f"`{name}` must not be 0 for training, but got 0.")


def clipping_sees_true_gradients(trainer: lightning.Trainer, clips: Sequence[float | None]) -> None:
    """Refuse clipping where the optimizer unscales fp16 gradients only inside its step."""
    if getattr(trainer.precision_plugin, "scaler", None) is None:
        return
    for optimizer, clip in zip(trainer.optimizers, clips, strict=True):
        if clip is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            raise ValueError(
                "`clip_discriminator` and `clip_generator` need an optimizer with `fused=False` "
                "under 16-mixed precision, because a fused one unscales its gradients after "
                f"clipping, but got a fused {type(optimizer).__name__}."
            )


def latent_codes(z: Tensor, shape: tuple[int, int]) -> None:
    """Refuse z that no generator can take."""
    if not z.is_floating_point():
        raise ValueError(f"`z` must be floating-point but got {z.dtype}.")
    if z.shape != shape:
        raise ValueError(
            f"`z` must have the shape (n, latent_dim) = {shape} but got {tuple(z.shape)}."
        )


def packs(n: int, micro_batches: int, samples_per_input: int) -> None:
    """Refuse a batch that cannot be cut into the packs of a packed discriminator."""
    sizes = {len(chunk) for chunk in torch.empty(n).chunk(micro_batches)}
    if any(size % samples_per_input for size in sizes):
        raise ValueError(
            f"`batch_size` must give (micro-)batches that the {samples_per_input} samples of a "
            f"pack divide but got {n} in {micro_batches} micro-batch(es)."
        )


def batch(x: Tensor, micro_batches: int, networks: Sequence[nn.Module]) -> None:
    """Refuse a first batch that cannot be trained on, whatever the family."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 2:
        found = (
            f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        )
        raise ValueError(
            f"`x` must be a floating-point tensor (N, ...) but the batch holds {found}."
        )
    if micro_batches > len(x):
        raise ValueError(
            f"`micro_batches` must be at most the batch size {len(x)} but got {micro_batches}."
        )
    smallest = len(x.chunk(micro_batches)[-1])
    if smallest == 1 and any(isinstance(m, _BATCH_NORMS) for n in networks for m in n.modules()):
        raise ValueError(
            "`batch_size` must be at least 2 per (micro-)batch with batch normalisation, because "
            "one sample has no variance, but got 1."
        )
    finite(x.sum())
    if x.dim() == 4 and float(x.detach().abs().max()) > 1.001:
        low, high = float(x.min()), float(x.max())
        raise ValueError(
            f"`x` must hold images in [-1, 1] but got values from {low:g} to {high:g}."
        )


def finite(total: Tensor) -> None:
    """Refuse data with NaN or infinity, seen through a sum over them."""
    if not math.isfinite(float(total)):
        raise ValueError(
            "`x` must be finite, because one bad sample ruins both players for good, but a batch "
            "of the training data holds NaN or infinity."
        )


def same_shape(x: Tensor, x_fake: Tensor) -> None:
    """Refuse a generator whose samples do not have the data's shape."""
    if x_fake.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"`generator` must return samples of the data's shape {tuple(x.shape[1:])} but gives "
            f"{tuple(x_fake.shape[1:])}."
        )


def one_logit(n: int, logits: Tensor, samples_per_input: int = 1) -> None:
    """Refuse a discriminator that does not give one logit for each (pack) of n samples."""
    inputs = n // samples_per_input
    if logits.shape not in {(inputs,), (inputs, 1)}:
        unit = "sample" if samples_per_input == 1 else f"pack of {samples_per_input} samples"
        raise ValueError(
            f"`discriminator` must return one logit a {unit}, (N,) or (N, 1), but gives "
            f"{tuple(logits.shape)} for {n} samples."
        )


def known_updates(updates: str) -> None:
    """Refuse a rule of movement that the loop does not have."""
    if updates not in ("alternating", "simultaneous"):
        raise ValueError(f"`updates` must be 'alternating' or 'simultaneous' but got {updates!r}.")


def not_compiled(error: Exception) -> RuntimeError:
    """What to say when torch.compile fails."""
    reason = str(error).strip().splitlines()[0]
    return RuntimeError(
        f"`compile_networks` must be False here, because torch.compile failed: {reason}"
    )
