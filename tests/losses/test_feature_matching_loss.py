"""Feature matching against a loop."""

import pytest
import torch

from gan_lightning.losses.feature_matching import feature_matching_loss


def test_squared_distance_of_the_means():
    real, fake = torch.randn(2, 5, dtype=torch.float64).unbind()
    expected = sum((a - b) ** 2 for a, b in zip(real.tolist(), fake.tolist(), strict=True))
    assert feature_matching_loss(real, fake).item() == pytest.approx(expected, rel=1e-13)
    assert feature_matching_loss(real, real) == 0
    fake.requires_grad_()
    (gradient,) = torch.autograd.grad(feature_matching_loss(real, fake), fake)
    torch.testing.assert_close(gradient, 2 * (fake - real).detach())


def test_half_precision_is_summed_in_float32():
    real, fake = torch.full((1000,), 1.0).bfloat16(), torch.full((1000,), 1.0078125).bfloat16()
    value = feature_matching_loss(real, fake)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(1000 * 0.0078125**2, rel=1e-6)
