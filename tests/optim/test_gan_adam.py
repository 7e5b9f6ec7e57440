import inspect
import pickle

import pytest
import torch
from torch import nn

from gan_lightning.optim import GANAdam


def train(optimizer, parameter, steps=20):
    for step in range(steps):
        optimizer.zero_grad()
        (parameter * (step + 1)).sin().sum().backward()
        optimizer.step()
    return parameter.detach()


def test_two_steps_by_hand():
    parameter = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = GANAdam([parameter], lr=0.1, beta1=0.5, beta2=0.9, eps=1e-3)
    x, m, v = parameter.detach().clone(), 0.0, 0.0
    for step in (1, 2):
        optimizer.zero_grad()
        (parameter**3).sum().backward()
        optimizer.step()
        g = 3 * x**2
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        x = x - 0.1 * (m / (1 - 0.5**step)) / ((v / (1 - 0.9**step)).sqrt() + 1e-3)
    torch.testing.assert_close(parameter.detach(), x)


@pytest.mark.parametrize("fused", [False, True])
def test_is_torchs_adam_with_the_settings_of_radford_et_al(fused):
    start = torch.randn(5)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    adam = torch.optim.Adam([theirs], lr=2e-4, betas=(0.5, 0.999), fused=fused or None)
    optimizer = GANAdam([mine], fused=fused)
    assert torch.equal(train(optimizer, mine), train(adam, theirs))
    assert optimizer.param_groups[0].keys() == adam.param_groups[0].keys()
    state, expected = optimizer.state_dict(), adam.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    assert state["state"][0].keys() == expected["state"][0].keys()
    assert all(torch.equal(state["state"][0][k], v) for k, v in expected["state"][0].items())


def test_weight_decay_and_groups():
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.0}]
    optimizer = GANAdam(groups, lr=0.1, weight_decay=0.5)
    for parameter in parameters:
        parameter.grad = torch.zeros(2)
    optimizer.step()
    assert (parameters[0] < 1).all()
    assert (parameters[1] == 1).all()


def test_copies():
    parameter = nn.Parameter(torch.randn(3))
    optimizer = GANAdam([parameter], lr=0.05, beta1=0.3)
    train(optimizer, parameter, steps=3)
    again = pickle.loads(pickle.dumps(optimizer))
    assert again.param_groups[0]["betas"] == (0.3, 0.999)
    other = GANAdam([nn.Parameter(torch.zeros(3))])
    other.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    assert other.param_groups[0]["lr"] == 0.05


def test_every_argument_is_a_plain_scalar():
    params, *others = inspect.signature(GANAdam).parameters.values()
    assert params.annotation is not params.empty  # jsonargparse needs it
    assert all(type(p.default) in (float, bool) for p in others)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, "`lr` must be at least 0, got -1.0"),
        ({"lr": float("nan")}, "`lr` must be at least 0, got nan"),
        ({"beta1": 1.0}, r"`beta1` must be in \[0, 1\), got 1.0"),
        ({"beta2": -0.1}, r"`beta2` must be in \[0, 1\), got -0.1"),
        ({"eps": -1e-8}, "`eps` must be at least 0, got -1e-08"),
        ({"weight_decay": -0.1}, "`weight_decay` must be at least 0, got -0.1"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GANAdam([nn.Parameter(torch.zeros(1))], **arguments)
