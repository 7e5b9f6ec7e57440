"""The information bound where its value is known."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from gan_lightning.losses import information


def every_code(n, repeats=6):
    return torch.arange(n).repeat(repeats)


@pytest.mark.parametrize("n", [2, 10])
def test_a_perfect_posterior_gives_the_entropy_of_the_code(n):
    code = every_code(n)
    logits = 200 * torch.nn.functional.one_hot(code, n).double()
    bound = information.categorical_information(logits, code)
    assert bound.item() == pytest.approx(math.log(n), abs=1e-12)


@pytest.mark.parametrize("n", [2, 10])
def test_a_posterior_that_knows_nothing_gives_zero(n):
    code = every_code(n)
    logits = torch.full((len(code), n), 0.3, dtype=torch.float64)
    assert information.categorical_information(logits, code).item() == pytest.approx(0, abs=1e-12)


def test_a_noisy_channel_gives_its_mutual_information():
    """x = c with probability 1 - e, else another class, and Q the true posterior."""
    n, e = 4, 0.4
    # All pairs (c, x), each as often as it comes: 3 (1 - e) n = 9 of 15 times x = c.
    pairs = [(c, x) for c in range(n) for x in range(n) for _ in range(9 if c == x else 2)]
    code, x = torch.tensor(pairs).T
    posterior = torch.full((n, n), e / (n - 1), dtype=torch.float64)
    posterior.fill_diagonal_(1 - e)
    bound = information.categorical_information(posterior.log()[x], code)
    mutual = math.log(n) + (1 - e) * math.log(1 - e) + e * math.log(e / (n - 1))
    assert bound.item() == pytest.approx(mutual, abs=1e-12)
    wrong = information.categorical_information(2 * posterior.log()[x], code)
    assert wrong.item() < mutual - 0.01  # it is a lower bound


def test_against_distributions():
    logits = torch.randn(9, 5, dtype=torch.float64)
    code = torch.randint(5, (9,))
    expected = Categorical(logits=logits).log_prob(code).mean() + math.log(5)
    torch.testing.assert_close(information.categorical_information(logits, code), expected)
    mean, log_std, c = torch.randn(3, 9, 2, dtype=torch.float64).unbind()
    expected = Normal(mean, log_std.exp()).log_prob(c).sum(1).mean() + 2 * math.log(2)
    torch.testing.assert_close(information.continuous_information(mean, log_std, c), expected)


def midpoints(n=100_000):
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 - 1


@pytest.mark.parametrize("m", [1, 3])
def test_a_gaussian_that_knows_nothing(m):
    """The best one has the code's variance, 1/3; what is missing is its distance to U(-1, 1)."""
    code = midpoints()[:, None].expand(-1, m)
    log_std = torch.full_like(code, math.log(1 / 3) / 2)
    bound = information.continuous_information(torch.zeros_like(code), log_std, code)
    closed = m * (math.log(2) - math.log(2 * math.pi * math.e / 3) / 2)
    assert bound.item() == pytest.approx(closed, abs=1e-9)
    assert closed / m == pytest.approx(-0.176, abs=1e-3)  # as the docstring says
    prior = torch.distributions.Uniform(torch.tensor(-1.0).double(), torch.tensor(1.0).double())
    gaussian = Normal(torch.tensor(0.0).double(), torch.tensor(3**-0.5).double())
    assert bound.item() == pytest.approx(-m * kl_divergence(prior, gaussian).item(), abs=1e-9)
    for other in (-0.1, 0.1):
        worse = information.continuous_information(torch.zeros_like(code), log_std + other, code)
        assert worse < bound


@pytest.mark.parametrize("std", [1.0, 0.1, math.exp(-3)])
def test_a_gaussian_around_the_code_itself(std):
    """E log N(c; c + s e, s^2) = -log s - log(2 pi e) / 2, with e of unit variance."""
    code = midpoints(1000)[:, None]
    signs = torch.tensor([-1.0, 1.0]).double().repeat(500)[:, None]
    log_std = torch.full_like(code, math.log(std))
    bound = information.continuous_information(code + std * signs, log_std, code)
    closed = math.log(2) - math.log(std) - math.log(2 * math.pi * math.e) / 2
    assert bound.item() == pytest.approx(closed, abs=1e-12)


def test_log_std_is_bounded_with_a_gradient_everywhere():
    raw = torch.tensor([-50.0, -10, -0.01, 0, 0.01, 10, 50], dtype=torch.float64)
    raw.requires_grad_()
    value = information.bounded_log_std(raw)
    assert value.abs().max() <= 3
    torch.testing.assert_close(value[2:5], raw[2:5], rtol=1e-4, atol=0)
    (gradient,) = torch.autograd.grad(value[1:-1].sum(), raw)
    assert (gradient[1:-1] > 0).all()
    assert gradient[3] == 1


def test_half_precision_is_summed_in_float32():
    code = every_code(10, 100)
    logits = torch.randn(1000, 10).bfloat16()
    value = information.categorical_information(logits, code)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, information.categorical_information(logits.float(), code))
    mean = torch.randn(1000, 2).bfloat16()
    value = information.continuous_information(mean, mean / 4, mean)
    assert value.dtype == torch.float32
    exact = information.continuous_information(mean.float(), (mean / 4).float(), mean.float())
    torch.testing.assert_close(value, exact)
