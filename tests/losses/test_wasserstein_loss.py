"""Kantorovich duality: E D(x) - E D(G(z)) is at most the critic's Lipschitz constant times W1."""

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn

from gan_lightning.losses import wasserstein


def test_signs():
    d_real, d_fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, -4.0, 0.0])
    assert wasserstein.discriminator_loss(d_real, d_fake).item() == -4 + -1
    assert wasserstein.generator_loss(d_fake).item() == 1
    assert wasserstein.discriminator_loss(d_fake, d_real).item() == 5


def test_half_precision_is_summed_in_float32():
    d = torch.linspace(0, 3, 1001).bfloat16()
    assert wasserstein.generator_loss(d).dtype == torch.float32
    torch.testing.assert_close(wasserstein.generator_loss(d), -d.float().mean(), rtol=0, atol=0)


def samples():
    return torch.randn(40, dtype=torch.float64), 0.5 * torch.randn(60, dtype=torch.float64).exp()


def lipschitz_constant(critic: nn.Sequential) -> float:
    """Of a one-layer ReLU network on the line, exactly: the steepest of its linear pieces."""
    inner, _, outer = critic
    w, b = inner.weight.detach()[:, 0], inner.bias.detach()
    kinks = torch.sort(-b / w).values
    ends = torch.stack([kinks[0] - 1, kinks[-1] + 1])
    places = torch.sort(torch.cat([(kinks[1:] + kinks[:-1]) / 2, ends])).values
    active = (places[:, None] * w + b > 0).to(w.dtype)  # (pieces, units)
    return float((active * w * outer.weight.detach()[0]).sum(1).abs().max())


@pytest.mark.parametrize("clip", [None, 0.01, 0.5])
def test_no_critic_exceeds_the_distance(clip):
    x, x_fake = samples()
    w_1 = wasserstein_distance(x.numpy(), x_fake.numpy())
    ratios = []
    for _ in range(50):
        critic = nn.Sequential(nn.Linear(1, 20), nn.ReLU(), nn.Linear(20, 1)).double()
        for p in critic.parameters():
            nn.init.normal_(p)
            if clip is not None:
                p.data.clamp_(-clip, clip)
        with torch.no_grad():
            value = -wasserstein.discriminator_loss(critic(x[:, None]), critic(x_fake[:, None]))
        ratios.append(float(value) / lipschitz_constant(critic) / w_1)
    assert max(abs(r) for r in ratios) <= 1 + 1e-12
    assert max(ratios) > 0.2  # the bound is not an empty one


def test_a_free_lipschitz_critic_reaches_the_distance():
    """D is piecewise linear with slopes tanh(s), thus 1-Lipschitz whatever s."""
    x, x_fake = samples()
    w_1 = wasserstein_distance(x.numpy(), x_fake.numpy())
    knots = torch.cat([x, x_fake]).sort().values
    s = torch.zeros(len(knots) - 1, dtype=torch.float64, requires_grad=True)

    def critic(points):
        heights = torch.cat([torch.zeros(1).double(), (s.tanh() * knots.diff()).cumsum(0)])
        return heights[torch.searchsorted(knots, points)]

    optimizer = torch.optim.Adam([s], lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        loss = wasserstein.discriminator_loss(critic(x), critic(x_fake))
        loss.backward()
        optimizer.step()
        assert -loss.item() <= w_1 * (1 + 1e-12)
    assert -loss.item() == pytest.approx(w_1, rel=0.01)
