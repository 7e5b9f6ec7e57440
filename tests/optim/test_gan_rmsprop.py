import inspect

import pytest
import torch
from torch import nn

from gan_lightning.optim.rmsprop import GANRMSProp


def train(optimizer, parameter, steps=20):
    for step in range(steps):
        optimizer.zero_grad()
        (parameter * (step + 1)).sin().sum().backward()
        optimizer.step()
    return parameter.detach()


def test_two_steps_by_hand():
    parameter = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = GANRMSProp([parameter], lr=0.1, alpha=0.9, eps=1e-3)
    x, v = parameter.detach().clone(), 0.0
    for _ in range(2):
        optimizer.zero_grad()
        (parameter**3).sum().backward()
        optimizer.step()
        g = 3 * x**2
        v = 0.9 * v + 0.1 * g**2
        x = x - 0.1 * g / (v**0.5 + 1e-3)
    torch.testing.assert_close(parameter.detach(), x)


def test_is_torchs_rmsprop_at_the_articles_rate():
    start = torch.randn(5)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    expected = torch.optim.RMSprop([theirs], lr=5e-5)
    optimizer = GANRMSProp([mine])
    assert torch.equal(train(optimizer, mine), train(expected, theirs))
    assert optimizer.state_dict()["param_groups"] == expected.state_dict()["param_groups"]


def test_momentum_and_weight_decay_are_handed_on():
    start = torch.randn(5)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    expected = torch.optim.RMSprop([theirs], lr=0.01, momentum=0.3, weight_decay=0.1)
    optimizer = GANRMSProp([mine], lr=0.01, momentum=0.3, weight_decay=0.1)
    assert torch.equal(train(optimizer, mine), train(expected, theirs))


def test_every_argument_is_a_plain_scalar():
    params, *others = inspect.signature(GANRMSProp).parameters.values()
    assert params.annotation is not params.empty  # jsonargparse needs it
    assert all(type(p.default) is float for p in others)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, "`lr` must be at least 0, got -1.0"),
        ({"eps": float("nan")}, "`eps` must be at least 0, got nan"),
        ({"weight_decay": -0.1}, "`weight_decay` must be at least 0, got -0.1"),
        ({"alpha": 1.0}, r"`alpha` must be in \[0, 1\), got 1.0"),
        ({"momentum": -0.1}, r"`momentum` must be in \[0, 1\), got -0.1"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GANRMSProp([nn.Parameter(torch.zeros(1))], **arguments)
