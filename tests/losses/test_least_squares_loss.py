import pytest
import torch

from gan_lightning.losses import least_squares

TARGETS = [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.0, 0.9, 1.0), (0.5, 2.5, 1.5)]  # a, b, c


@pytest.fixture
def toy():
    """Two distributions on five points, as batches that hold each point in proportion."""
    real, fake = torch.tensor([1, 7, 2, 4, 6]), torch.tensor([5, 1, 3, 9, 2])
    points = torch.arange(5)
    p_data, p_g = real.double() / 20, fake.double() / 20
    return p_data, p_g, points.repeat_interleave(real), points.repeat_interleave(fake)


@pytest.mark.parametrize(("a", "b", "c"), TARGETS)
def test_against_a_loop_without_the_factor_one_half(a, b, c):
    d_real, d_fake = 3 * torch.randn(2, 30, dtype=torch.float64)
    value = least_squares.discriminator_loss(d_real, d_fake, real_target=b, fake_target=a)
    naive = sum((d - b) ** 2 for d in d_real.tolist()) / 30
    naive += sum((d - a) ** 2 for d in d_fake.tolist()) / 30
    assert value.item() == pytest.approx(naive, rel=1e-14)
    value = least_squares.generator_loss(d_fake, generator_target=c)
    assert value.item() == pytest.approx(sum((d - c) ** 2 for d in d_fake.tolist()) / 30, rel=1e-14)


def test_defaults_are_zero_one_one():
    d = torch.tensor([3.0], dtype=torch.float64)
    assert least_squares.discriminator_loss(d, d).item() == 4 + 9
    assert least_squares.generator_loss(d).item() == 4


@pytest.mark.parametrize(("a", "b", "c"), TARGETS)
def test_the_optimal_discriminator(toy, a, b, c):
    p_data, p_g, real, fake = toy
    d = ((b * p_data + a * p_g) / (p_data + p_g)).requires_grad_()

    def cost(d):
        return least_squares.discriminator_loss(d[real], d[fake], real_target=b, fake_target=a)

    (gradient,) = torch.autograd.grad(cost(d), d)
    torch.testing.assert_close(gradient, torch.zeros_like(d), rtol=0, atol=1e-15)
    assert all(cost(d + step) > cost(d) for step in torch.randn(20, 5, dtype=torch.float64))


@pytest.mark.parametrize(("a", "b", "c"), [(-1.0, 1.0, 0.0), (0.5, 2.5, 1.5)])
def test_pearson_chi_square_at_the_optimal_discriminator(toy, a, b, c):
    """With b - c = 1 and b - a = 2; reals add a term to G's cost that G cannot change."""
    p_data, p_g, real, fake = toy
    d = (b * p_data + a * p_g) / (p_data + p_g)
    cost = least_squares.generator_loss(d[fake], generator_target=c)
    cost = cost + least_squares.generator_loss(d[real], generator_target=c)
    pearson = ((2 * p_g - (p_data + p_g)).square() / (p_data + p_g)).sum()
    torch.testing.assert_close(cost, pearson, rtol=1e-13, atol=0)
    other = (d[fake] - 1).square().mean() + (d[real] - 1).square().mean()
    assert abs(other - pearson) > 0.1  # the usual c = 1 is another game


def test_a_far_and_rightly_classified_fake_has_a_gradient():
    """Where D's sigmoid has saturated, its cross-entropy pulls no longer, the square does."""
    d = torch.tensor([-8.0], dtype=torch.float64, requires_grad=True)  # a fake, far on its side
    (gradient,) = torch.autograd.grad(least_squares.generator_loss(d), d)
    assert gradient.item() == 2 * (-8 - 1)
    (sigmoid,) = torch.autograd.grad(-torch.nn.functional.softplus(d).mean(), d)
    assert abs(sigmoid.item()) < 4e-4


def test_half_precision_is_summed_in_float32():
    d = torch.linspace(-2, 2, 1001).bfloat16()
    for cost in (least_squares.generator_loss, lambda d: least_squares.discriminator_loss(d, d)):
        with torch.autocast("cpu", torch.bfloat16):
            value = cost(d)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, cost(d.float()), rtol=0, atol=0)
