"""What monitors look at: fresh evidence of both players, gathered every so many steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_lightning.families.base import AbstractGAN

__all__ = ["Observation", "costs", "judged", "observe", "sampled"]

_CHUNK = 256
_LARGE = 3 * 64 * 64  # numbers of a sample, beyond which D judges ...
_JUDGED = 64  # and a few more at once


@dataclass(frozen=True)
class Observation:
    """One look at a run. Everything lies on the CPU, so that a run can be looked at again later.

    Attributes:
        step: Generator updates so far.
        samples: `(n, ...)` of the trained (not averaged) generator for the same z every time.
        labels: Their classes `(n,)`, or None.
        logits: D's logits by what was judged: "fake" (the samples), "real" (training samples) and
            "heldout" (real samples that are not trained on), each `(n,)`.
        losses: Each player's costs since the last look, one value an update.
        rows: What the family logged since the last look, oldest first.
        weights: Each player's largest absolute weight; NaN if one is, infinite if one is that.
    """

    step: int
    samples: Tensor
    labels: Tensor | None = None
    logits: Mapping[str, Tensor] = field(default_factory=dict)
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    rows: Sequence[Mapping[str, float]] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


def sampled(module: AbstractGAN, z: Tensor, labels: Tensor | None) -> Tensor:
    """Samples of the trained generator in evaluation mode, float32 on the CPU.

    Args:
        module: The family.
        z: Latent codes `(n, latent_dim)`.
        labels: Classes `(n,)`, or None.
    """
    network = module.generator
    like = next(network.parameters())
    chunks = []
    with torch.no_grad(), _quiet(network):
        for start in range(0, len(z), _CHUNK):
            stop = start + _CHUNK
            given = None if labels is None else labels[start:stop].to(like.device)
            chunks.append(module.generate(network, z[start:stop].to(like), given).float())
    return torch.cat(chunks).cpu()


def judged(module: AbstractGAN, x: Tensor, labels: Tensor | None) -> Tensor:
    """D's logits of samples, as in training but for dropout: batch norm sees them alone.

    Synchronised batch norm would wait for the other processes, which do not look, so it takes its
    running statistics; so does batch norm that is given a single row. Samples larger than 3x64x64
    are judged in parts of 64 to 127, which is all that batch norm then sees; smaller ones together.

    Args:
        module: The family.
        x: Samples `(n, ...)`; a discriminator that judges m at once drops what is left over.
        labels: Classes `(n,)`, or None.

    Returns:
        `(n // m,)` float32 on the CPU.
    """
    like = next(module.generator.parameters())
    rows = len(x) // module.samples_per_input
    n = rows * module.samples_per_input
    if rows == 0:
        return torch.empty(0)
    given = () if labels is None else (labels[:n].to(like.device),)
    networks = dict.fromkeys((*module.discriminator_modules(), *module.generator_modules()))
    norms = dict.fromkeys(module.discriminator_modules()) if rows > 1 else {}
    with torch.no_grad(), _quiet(*networks, norms_of=tuple(norms)):
        parts = _parts(n, x[0].numel(), module.samples_per_input)
        inputs = (module.inputs(x[part].to(like), *(y[part] for y in given)) for part in parts)
        logits = [module.judge(*shown).reshape(-1).float() for shown in inputs]
    return torch.cat(logits).cpu()


def _parts(n: int, size: int, together: int) -> list[slice]:
    """Samples that D judges at once: all, or of large ones 64 and more, in whole packs."""
    step = -(-_JUDGED // together) * together
    if size <= _LARGE or n < 2 * step:
        return [slice(0, n)]
    starts = range(0, n - step + 1, step)
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], n], strict=True)]


def observe(
    module: AbstractGAN,
    z: Tensor,
    labels: Tensor | None,
    real: Mapping[str, tuple[Tensor, Tensor | None]],
    losses: Mapping[str, Sequence[Tensor]],
    rows: Sequence[Mapping[str, float]],
) -> Observation:
    """Look at both players now; no random number is drawn and no buffer changed.

    Args:
        module: The family.
        z: Latent codes `(n, latent_dim)`, the same every time.
        labels: Their classes `(n,)` for a conditional family.
        real: Real samples and their labels by name, for D to judge.
        losses: Each player's costs since the last look, one or many a tensor.
        rows: What was logged since the last look.
    """
    samples = sampled(module, z, labels)
    sets = {"fake": (samples, labels), **real}
    given = {name: y if module.conditional else None for name, (_, y) in sets.items()}
    return Observation(
        step=module.global_step,
        samples=samples,
        labels=labels,
        logits={name: judged(module, x, given[name]) for name, (x, _) in sets.items()},
        losses={name: costs(v).float() for name, v in losses.items() if v},
        rows=tuple(rows),
        weights=_largest(module),
    )


def costs(parts: Sequence[Tensor]) -> Tensor:
    """Costs of single updates and of many, oldest first, as one tensor on the CPU."""
    return torch.cat([part.reshape(-1) for part in parts]).cpu()


def _largest(module: AbstractGAN) -> dict[str, float]:
    """Each player's largest absolute weight, in one wait for the device; none without weights."""
    players = {
        "generator": module.generator_modules(),
        "discriminator": module.discriminator_modules(),
    }
    largest = {}
    for player, modules in players.items():
        weights = [p.detach() for network in modules for p in network.parameters() if p.numel()]
        if weights:
            norms = torch._foreach_norm(weights, float("inf"))
            largest[player] = torch.stack([norm.float() for norm in norms]).max()  # NaN wins
    if not largest:
        return {}
    return dict(zip(largest, torch.stack(list(largest.values())).tolist(), strict=True))


@contextmanager
def _quiet(*networks: nn.Module, norms_of: Sequence[nn.Module] = ()) -> Iterator[None]:
    """Evaluation mode, but batch norm of some networks as it is; all is put back afterwards.

    Random numbers are the same at every look, and nobody else's go on.
    """
    modes = [(m, m.training) for network in networks for m in network.modules()]
    norms = [
        m
        for network in norms_of
        for m in network.modules()
        if isinstance(m, _BatchNorm) and not isinstance(m, nn.SyncBatchNorm) and m.training
    ]
    buffers = [(b, b.clone()) for m in norms for b in m.buffers(recurse=False)]
    generators = _generators(networks)
    states = [generator.get_state() for generator in generators]
    try:
        for module, _ in modes:
            module.training = False
        for norm in norms:
            norm.training = True
        for generator in generators:
            generator.manual_seed(0)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        for module, training in modes:
            module.training = training
        for buffer, before in buffers:
            buffer.copy_(before)


def _generators(networks: Sequence[nn.Module]) -> list[torch.Generator]:
    """The default random generators of the CPU and of the networks' GPU."""
    device = next((p.device for network in networks for p in network.parameters()), None)
    if device is None or device.type != "cuda":
        return [torch.default_generator]
    return [torch.default_generator, torch.cuda.default_generators[device.index or 0]]
