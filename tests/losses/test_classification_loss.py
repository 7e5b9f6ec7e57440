"""Costs of discriminators that tell classes, against probabilities and torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical

from gan_lightning.losses import classification as losses


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(7, 4, generator=generator, dtype=torch.float64).requires_grad_()


LABELS = torch.tensor([0, 3, -1, 1, -1, 2, 0])


def n_plus_1(logits):
    """p(y | x) over n + 1 classes, the last one's logit at 0."""
    return torch.cat([logits, logits.new_zeros(len(logits), 1)], 1).softmax(1)


def naive_real(logits):
    return -(1 - n_plus_1(logits)[:, -1]).log()


def naive_fake(logits):
    return -n_plus_1(logits)[:, -1].log()


@pytest.mark.parametrize(
    ("cost", "naive"), [(losses.real_costs, naive_real), (losses.fake_costs, naive_fake)]
)
def test_log_sum_exp_form_is_the_softmax_over_n_plus_1_classes(logits, cost, naive):
    value, expected = cost(logits), naive(logits)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    weights = torch.arange(1.0, 8.0, dtype=torch.float64)
    gradients = [torch.autograd.grad(v @ weights, logits)[0] for v in (value, expected)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_a_constant_added_to_all_n_plus_1_logits_changes_nothing(logits):
    """The over-parametrised form: l_{n+1} = s instead of 0 is l - s."""
    s = 1.7
    p = torch.cat([logits + s, torch.full((7, 1), s, dtype=torch.float64)], 1).softmax(1)
    torch.testing.assert_close(losses.fake_costs(logits), -p[:, -1].log(), rtol=0, atol=1e-12)


def test_real_logit_is_the_logit_of_not_being_generated(logits):
    expected = (1 - n_plus_1(logits)[:, -1]).logit()
    torch.testing.assert_close(losses.real_logits(logits), expected, rtol=0, atol=1e-10)


def test_cross_entropies(logits):
    value = losses.cross_entropies(logits, LABELS)
    for i, label in enumerate(LABELS.tolist()):
        expected = 0.0 if label < 0 else -Categorical(logits=logits[i]).log_prob(LABELS[i]).item()
        assert value[i].item() == pytest.approx(expected, abs=1e-12)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    one_hot = torch.nn.functional.one_hot(LABELS.clamp(min=0), 4)
    expected = (logits.softmax(1) - one_hot) * (LABELS >= 0)[:, None]
    torch.testing.assert_close(gradient, expected.detach())


def test_hits(logits):
    expected = [float(row.argmax() == y) for row, y in zip(logits, LABELS, strict=True)]
    assert losses.hits(logits, LABELS).tolist() == expected
    answers = logits.argmax(1)
    assert losses.hits(logits, answers).tolist() == [1.0] * 7


def test_entropies(logits):
    torch.testing.assert_close(losses.entropies(logits), Categorical(logits=logits).entropy())
    assert torch.autograd.gradcheck(losses.entropies, logits)


def test_entropies_of_certain_and_uniform_answers():
    rows = torch.tensor([[0.0, 0, 0, 0, 0], [1e4, 0, 0, 0, 0]], dtype=torch.float64)
    rows.requires_grad_()
    value = losses.entropies(rows)
    assert value.tolist() == [pytest.approx(math.log(5), abs=1e-12), 0.0]
    (gradient,) = torch.autograd.grad(value.sum(), rows)
    assert gradient.abs().max() < 1e-12


def test_entropy_of_a_marginal(logits):
    p = losses.probabilities(logits).mean(0)
    torch.testing.assert_close(losses.entropy(p), Categorical(probs=p).entropy())
    point = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    value = losses.entropy(point)
    assert value == 0
    assert torch.autograd.grad(value, point)[0].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_extreme_logits_give_finite_costs_and_gradients(dtype):
    logits = torch.tensor([[1e4, -1e4], [-1e4, -1e4]], dtype=dtype, requires_grad=True)
    costs = (losses.real_costs, losses.fake_costs, losses.entropies, losses.real_logits)
    for cost in (*costs, lambda v: losses.cross_entropies(v, torch.tensor([1, -1]))):
        value = cost(logits)
        assert value.dtype == torch.promote_types(dtype, torch.float32)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert gradient.isfinite().all()


def test_no_threshold_in_double_precision():
    logits = torch.tensor([[25.0]], dtype=torch.float64)
    assert losses.real_costs(logits).item() == pytest.approx(math.exp(-25), rel=1e-6)
    assert losses.fake_costs(logits).item() - 25 == pytest.approx(math.exp(-25), rel=1e-3)
