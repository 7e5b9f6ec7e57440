import copy

import pytest
import torch
from support import differences
from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from gan_lightning.optim import GANAdam
from gan_lightning.optim.differentiable import (
    check_differentiable,
    differentiable_update,
    parameters_of,
    state_of,
)

OPTIMIZERS = {
    "sgd": lambda params: SGD(params, lr=0.1),
    "weight decay": lambda params: SGD(params, lr=0.1, weight_decay=0.3),
    "momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "dampening": lambda params: SGD(params, lr=0.1, momentum=0.8, dampening=0.4),
    "nesterov": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "sgd, foreach": lambda params: SGD(params, lr=0.1, momentum=0.9, foreach=True),
    "sgd, fused": lambda params: SGD(params, lr=0.1, momentum=0.9, fused=True),
    "sgd, lr as a tensor": lambda params: SGD(params, lr=torch.tensor(0.1, dtype=torch.float64)),
    "adam": lambda params: Adam(params, lr=0.02),
    "adam, weight decay": lambda params: Adam(
        params, lr=0.02, betas=(0.3, 0.9), weight_decay=0.2, eps=1e-3
    ),
    "adam, foreach": lambda params: Adam(params, lr=0.02, foreach=True),
    "gan adam": lambda params: GANAdam(params, lr=0.02),
    "gan adam, no momentum": lambda params: GANAdam(params, lr=0.02, beta1=0.0, beta2=0.99),
    "gan adam, large eps": lambda params: GANAdam(params, lr=0.02, eps=1e-3, weight_decay=0.1),
    "gan adam, fused": lambda params: GANAdam(params, lr=0.02, fused=True),
}
EXACT = {name for name in OPTIMIZERS if "fused" not in name and "foreach" not in name}


def cost(params):
    """A cost with third derivatives, in which the last parameter does not appear."""
    a, b, _ = params
    return (a.sin() * b).sum() + (a @ b) ** 2 / 7 + b.pow(4).sum() / 5


def three_parameters():
    torch.manual_seed(3)
    return [nn.Parameter(p) for p in torch.randn(3, 4, dtype=torch.float64)]


def torchs_steps(optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        cost(parameters_of(optimizer)).backward()
        optimizer.step()


def our_steps(optimizer, params, states, steps):
    for _ in range(steps):
        gradients = torch.autograd.grad(cost(params), params, create_graph=True, allow_unused=True)
        params, states = differentiable_update(optimizer, params, gradients, states)
    return params, states


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_equals_torchs_own_steps(name, before):
    """From the optimizer's moments and step count after some steps of its own, or from none."""
    optimizer = OPTIMIZERS[name](three_parameters())
    torchs_steps(optimizer, before)
    start = [p.detach().clone().requires_grad_() for p in parameters_of(optimizer)]
    untouched = copy.deepcopy(optimizer.state_dict())
    params, states = our_steps(optimizer, start, state_of(optimizer), 4)
    assert differences(optimizer.state_dict(), untouched) == []
    torchs_steps(optimizer, 4)
    tolerance = 0 if name in EXACT else 1e-15
    for ours, torchs in zip(params, parameters_of(optimizer), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=tolerance, atol=tolerance)
    for state, p in zip(states, parameters_of(optimizer), strict=True):
        torchs = {k: v for k, v in optimizer.state.get(p, {}).items() if v is not None}
        assert state.keys() == torchs.keys()
        for key, value in state.items():
            torch.testing.assert_close(value, torchs[key], rtol=tolerance, atol=tolerance)


def test_groups_have_their_own_options_and_the_rate_of_the_moment():
    a, b, c = three_parameters()
    groups = [{"params": [a, b]}, {"params": [c], "lr": 0.0}]
    optimizer = SGD(groups, lr=0.1, momentum=0.5)
    optimizer.param_groups[0]["lr"] = 0.4  # what a schedule does
    gradients = [torch.ones_like(a), None, torch.ones_like(c)]
    params, states = differentiable_update(optimizer, [a, b, c], gradients, state_of(optimizer))
    torch.testing.assert_close(params[0], a - 0.4)
    assert params[1] is b
    assert states[1] == {}
    assert torch.equal(params[2], c)
    assert torch.equal(states[2]["momentum_buffer"], torch.ones_like(c))


@pytest.mark.parametrize(
    "name", ["sgd", "nesterov", "dampening", "adam, weight decay", "gan adam, large eps"]
)
def test_derivatives(name):
    """Three steps as a function of where they start and of the state that they start with."""
    optimizer = OPTIMIZERS[name](three_parameters())
    torchs_steps(optimizer, 2)
    states = state_of(optimizer)
    moments = [k for k in ("momentum_buffer", "exp_avg", "exp_avg_sq") if k in states[0]]

    def steps(a, b, *values):
        c = parameters_of(optimizer)[2].detach().requires_grad_()
        rows = iter(values)
        begin = [s | {k: next(rows) for k in moments} if s else s for s in states]
        params, end = our_steps(optimizer, [a, b, c], begin, 3)
        return (*params[:2], *(end[0][k] for k in moments))

    inputs = [p.detach().clone().requires_grad_() for p in parameters_of(optimizer)[:2]]
    inputs += [s[k].clone().requires_grad_() for s in states[:2] for k in moments]
    assert torch.autograd.gradcheck(steps, inputs)


def test_a_dead_unit_has_no_nan():
    """Gradients that are exactly 0 leave Adam's second moment at 0, whose root has no slope."""
    weight = torch.tensor([0.0, 2.0], dtype=torch.float64, requires_grad=True)
    gradient = weight * torch.tensor([1.0, 3.0], dtype=torch.float64)
    optimizer = Adam([nn.Parameter(torch.zeros(2, dtype=torch.float64))], lr=0.5, eps=0.25)
    params, _ = differentiable_update(optimizer, [torch.zeros(2).double()], [gradient], [{}])
    (slope,) = torch.autograd.grad(params[0].sum(), weight)
    # the first step is -lr g / (|g| + eps), with slope -lr eps / (|g| + eps)^2
    torch.testing.assert_close(slope, -0.5 * torch.tensor([1 / 0.25, 3 * 0.25 / 6.25**2]).double())


class MyAdam(Adam):
    """Might step otherwise."""


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (RMSprop, "RMSprop"),
        (AdamW, "AdamW"),
        (MyAdam, "MyAdam"),
        (lambda p: Adam(p, amsgrad=True), "Adam with amsgrad=True"),
        (lambda p: SGD(p, maximize=True), "SGD with maximize=True"),
        (
            lambda p: Adam(p, decoupled_weight_decay=True),
            "Adam with decoupled_weight_decay=True",
        ),
    ],
)
def test_refused(make, found):
    sentence = rf"`d` must be SGD, Adam or GANAdam .* unrolling an optimizer .* but got {found}\.$"
    with pytest.raises(ValueError, match=sentence):
        check_differentiable(make(three_parameters()), argument="d")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_not_refused(name):
    check_differentiable(OPTIMIZERS[name](three_parameters()))
