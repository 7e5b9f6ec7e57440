import pytest
import torch

from gan_lightning.losses import hinge


def test_against_a_loop():
    d_real, d_fake = 2 * torch.randn(2, 40, dtype=torch.float64)
    naive = sum(max(0.0, 1 - d) for d in d_real.tolist()) / 40
    naive += sum(max(0.0, 1 + d) for d in d_fake.tolist()) / 40
    assert hinge.discriminator_loss(d_real, d_fake).item() == pytest.approx(naive, rel=1e-14)
    assert hinge.generator_loss(d_fake).item() == pytest.approx(-d_fake.mean().item(), rel=1e-14)


def test_samples_beyond_the_margin_teach_d_nothing_and_g_still():
    d_real = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    d_fake = torch.tensor([0.5, -1.5], dtype=torch.float64, requires_grad=True)
    gradients = torch.autograd.grad(hinge.discriminator_loss(d_real, d_fake), (d_real, d_fake))
    assert [g.tolist() for g in gradients] == [[-0.5, 0.0], [0.5, 0.0]]
    (gradient,) = torch.autograd.grad(hinge.generator_loss(d_fake), d_fake)
    assert gradient.tolist() == [-0.5, -0.5]


def test_at_the_optimum_it_is_two_minus_twice_the_total_variation_distance():
    real, fake = torch.tensor([1, 7, 2, 4, 6]), torch.tensor([5, 1, 3, 9, 2])
    points = torch.arange(5)
    x, x_fake = points.repeat_interleave(real), points.repeat_interleave(fake)
    d = (real - fake).double().sign()  # Lim and Ye 2017
    cost = hinge.discriminator_loss(d[x], d[x_fake])
    assert cost.item() == pytest.approx(2 - ((real - fake).abs().sum() / 20).item(), rel=1e-14)
    for step in torch.randn(50, 5, dtype=torch.float64):
        assert hinge.discriminator_loss((d + step)[x], (d + step)[x_fake]) >= cost


def test_half_precision_is_summed_in_float32():
    d = torch.linspace(-2, 2, 1001).bfloat16()
    value = hinge.discriminator_loss(d, d)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, hinge.discriminator_loss(d.float(), d.float()))
