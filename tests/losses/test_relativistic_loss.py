import math

import pytest
import torch

from gan_lightning.losses import relativistic


def sigma(v):
    return 1 / (1 + math.exp(-v))


@pytest.fixture
def logits():
    d_real, d_fake = 2 * torch.randn(2, 30, dtype=torch.float64)
    return d_real.requires_grad_(), d_fake.requires_grad_()


def test_pairing_against_probabilities(logits):
    d_real, d_fake = logits
    pairs = list(zip(d_real.tolist(), d_fake.tolist(), strict=True))
    naive = -sum(math.log(sigma(r - f)) for r, f in pairs) / len(pairs)
    assert relativistic.discriminator_loss(*logits).item() == pytest.approx(naive, rel=1e-13)
    naive = -sum(math.log(sigma(f - r)) for r, f in pairs) / len(pairs)
    assert relativistic.generator_loss(*logits).item() == pytest.approx(naive, rel=1e-13)


def test_averaged_against_probabilities(logits):
    reals, fakes = (d.tolist() for d in logits)
    mean_real, mean_fake = sum(reals) / 30, sum(fakes) / 30
    means = {"mean_real": logits[0].mean(), "mean_fake": logits[1].mean()}
    naive = -sum(math.log(sigma(r - mean_fake)) for r in reals) / 30
    naive -= sum(math.log(1 - sigma(f - mean_real)) for f in fakes) / 30
    value = relativistic.averaged_discriminator_loss(*logits, **means)
    assert value.item() == pytest.approx(naive, rel=1e-13)
    naive = -sum(math.log(sigma(f - mean_real)) for f in fakes) / 30
    naive -= sum(math.log(1 - sigma(r - mean_fake)) for r in reals) / 30
    value = relativistic.averaged_generator_loss(*logits, **means)
    assert value.item() == pytest.approx(naive, rel=1e-13)


def costs(d_real, d_fake):
    means = {"mean_real": d_real.mean(), "mean_fake": d_fake.mean()}
    return [
        relativistic.discriminator_loss(d_real, d_fake),
        relativistic.generator_loss(d_real, d_fake),
        relativistic.averaged_discriminator_loss(d_real, d_fake, **means),
        relativistic.averaged_generator_loss(d_real, d_fake, **means),
    ]


def test_only_differences_matter(logits):
    d_real, d_fake = logits
    for here, shifted in zip(costs(*logits), costs(d_real + 7, d_fake + 7), strict=True):
        torch.testing.assert_close(here, shifted)
        gradients = torch.autograd.grad(here, logits)
        assert sum(g.sum() for g in gradients).item() == pytest.approx(0, abs=1e-15)


def test_equal_logits_give_log_two_a_term():
    d = torch.full((4,), 3.0, dtype=torch.float64)
    values = [c.item() for c in costs(d, d)]
    assert values == pytest.approx([math.log(2)] * 2 + [math.log(4)] * 2, rel=1e-14)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits(logit):
    d = torch.full((3,), logit, requires_grad=True)
    for cost in costs(d, -d):
        (gradient,) = torch.autograd.grad(cost, d, retain_graph=True)
        assert cost.isfinite()
        assert gradient.isfinite().all()


def test_a_column_and_a_row_are_not_paired_all_with_all():
    with pytest.raises(ValueError, match=r"`d_fake` must have the shape of `d_real`.* \(4,\) and"):
        relativistic.discriminator_loss(torch.zeros(4, 1), torch.zeros(4))


def test_half_precision_is_summed_in_float32(logits):
    half = [d.detach().bfloat16() for d in logits]
    for value, exact in zip(costs(*half), costs(*(d.float() for d in half)), strict=True):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact, rtol=5e-3, atol=0)  # the means given are rounded
    assert relativistic.mean_logit(half[0]).dtype == torch.float32
