"""Optimizer updates as functions that can be differentiated.

Metz et al. 2017, "Unrolled Generative Adversarial Networks", arXiv:1611.02163, Eq. 7: a player that
looks ahead needs the gradient of where the other player's optimizer will go. Optimizers of torch
move parameters in place and outside of the graph; the functions below take parameters, gradients
and an optimizer's state, and return new parameters and a new state with a graph to all of them.
Numbers are those of torch's own steps, operation for operation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from gan_lightning.optim.adam import GANAdam

State = Mapping[str, Tensor]  # of one parameter, by the names of torch's own
Group = Mapping[str, Any]

_KINDS: tuple[type[Optimizer], ...] = (SGD, Adam, GANAdam)
_VARIANTS = ("amsgrad", "maximize", "decoupled_weight_decay")


class Updated(NamedTuple):
    """Where an update leads to: one parameter and one state for each parameter of the optimizer."""

    params: list[Tensor]
    states: list[State]


def check_differentiable(optimizer: Optimizer, *, argument: str = "optimizer") -> None:
    """Refuse an optimizer whose update this file does not have.

    A subclass is refused as well, because its step may be another one.

    Args:
        optimizer: The optimizer.
        argument: What the caller's user gave it as, for the message.

    Raises:
        ValueError: If it is not one of SGD, Adam and GANAdam in their usual variants.
    """
    found = type(optimizer).__name__
    if type(optimizer) in _KINDS:
        variants = [v for v in _VARIANTS for g in optimizer.param_groups if g.get(v)]
        if not variants:
            return
        found = f"{found} with {variants[0]}=True"
    raise ValueError(
        f"`{argument}` must be SGD, Adam or GANAdam without {', '.join(_VARIANTS[:-1])} or "
        f"{_VARIANTS[-1]}, because unrolling an optimizer means to differentiate its update, and "
        f"only theirs is at hand, but got {found}."
    )


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """All parameters of an optimizer, group after group: the order of the lists in this file."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def state_of(optimizer: Optimizer) -> list[State]:
    """Copies of the optimizer's moments and step counts; {} where it has not moved a parameter."""
    return [
        {
            name: value.detach().clone()
            for name, value in optimizer.state.get(p, {}).items()
            if isinstance(value, Tensor)
        }
        for p in parameters_of(optimizer)
    ]


def differentiable_update(
    optimizer: Optimizer,
    params: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    states: Sequence[State],
) -> Updated:
    r"""What one step of an optimizer makes of parameters, without touching them or the optimizer.

    .. math:: \theta^{k+1} = \theta^k - u(\nabla f(\theta^k), \theta^k, s^k)

    with the update u and the state s of SGD (momentum, dampening, Nesterov, weight decay) or Adam
    (moments, step count, weight decay). Learning rates and the other options are read from the
    optimizer's groups at the time of the call.

    Where Adam's second moment is 0, the derivative of its root, which does not exist, is taken as
    0, the mean of its one-sided derivatives. torch would make NaN of it for every dead unit.

    Args:
        optimizer: Says which rule, with which options.
        params: Parameters, in the order of `parameters_of`.
        gradients: Their gradients; None leaves a parameter and its state as they are.
        states: Their states, from `state_of` or from an earlier update.

    Returns:
        New parameters and states, with a graph to all inputs.
    """
    groups = [group for group in optimizer.param_groups for _ in group["params"]]
    step = _sgd if isinstance(optimizer, SGD) else _adam
    moved = Updated([], [])
    for group, p, gradient, state in zip(groups, params, gradients, states, strict=True):
        if gradient is None:
            p_next, state_next = p, state
        else:
            p_next, state_next = step(group, p, _decayed(group, p, gradient), state)
        moved.params.append(p_next)
        moved.states.append(state_next)
    return moved


def _decayed(group: Group, p: Tensor, gradient: Tensor) -> Tensor:
    return gradient.add(p, alpha=group["weight_decay"]) if group["weight_decay"] else gradient


def _sgd(group: Group, p: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
    momentum = group["momentum"]
    if momentum:
        buffer = state.get("momentum_buffer")
        if buffer is None:  # the first gradient is not dampened
            buffer = gradient
        else:
            buffer = (buffer * momentum).add(gradient, alpha=1 - group["dampening"])
        state = {"momentum_buffer": buffer}
        gradient = gradient.add(buffer, alpha=momentum) if group["nesterov"] else buffer
    return p.add(gradient, alpha=-float(group["lr"])), state


def _adam(group: Group, p: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
    beta1, beta2 = (float(beta) for beta in group["betas"])
    if not state:  # the first step
        zeros = torch.zeros_like(p)
        state = {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros}
    steps = state["step"] + 1
    m = state["exp_avg"].lerp(gradient, 1 - beta1)
    v = (state["exp_avg_sq"] * beta2).addcmul(gradient, gradient, value=1 - beta2)
    t = float(steps)
    step_size = float(group["lr"]) / (1 - beta1**t)
    root = torch.where(v > 0, v, 1.0).sqrt() * (v > 0)
    denominator = root / (1 - beta2**t) ** 0.5 + group["eps"]
    state = {"step": steps, "exp_avg": m, "exp_avg_sq": v}
    return p.addcdiv(m, denominator, value=-step_size), state
