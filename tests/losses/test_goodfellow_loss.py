import math

import pytest
import torch
from torch.nn import functional

from gan_lightning.losses import goodfellow

LOSSES_OF_G = {
    "minimax": goodfellow.minimax_generator_loss,
    "non-saturating": goodfellow.non_saturating_generator_loss,
    "maximum likelihood": lambda d_fake: goodfellow.maximum_likelihood_generator_loss(d_fake)[0],
}
TARGETS = [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1), (1.0, 0.2), (0.0, 1.0)]


@pytest.fixture
def logits():
    d_real, d_fake = 3 * torch.randn(2, 50, dtype=torch.float64)
    return d_real.requires_grad_(), d_fake.requires_grad_()


@pytest.fixture
def toy():
    """Two distributions on five points, as batches that hold each point in proportion."""
    real = torch.tensor([1, 7, 2, 4, 6])
    fake = torch.tensor([5, 1, 3, 9, 2])
    points = torch.arange(5)
    p_data, p_g = real.double() / 20, fake.double() / 20
    return p_data, p_g, points.repeat_interleave(real), points.repeat_interleave(fake)


# --- against probabilities ---------------------------------------------------------------------


@pytest.mark.parametrize(("t", "b"), TARGETS)
def test_discriminator_loss_is_the_sum_of_two_cross_entropies(logits, t, b):
    d_real, d_fake = logits
    value = goodfellow.discriminator_loss(d_real, d_fake, real_target=t, fake_target=b)
    p_real, p_fake = d_real.sigmoid(), d_fake.sigmoid()
    naive = -(t * p_real.log() + (1 - t) * (1 - p_real).log()).mean()
    naive = naive - (b * p_fake.log() + (1 - b) * (1 - p_fake).log()).mean()
    torch.testing.assert_close(value, naive)
    bce = functional.binary_cross_entropy(p_real, torch.full_like(p_real, t))
    bce = bce + functional.binary_cross_entropy(p_fake, torch.full_like(p_fake, b))
    torch.testing.assert_close(value, bce)
    for mine, naives in zip(
        torch.autograd.grad(value, logits), torch.autograd.grad(naive, logits), strict=True
    ):
        torch.testing.assert_close(mine, naives)


@pytest.mark.parametrize(("t", "b"), TARGETS)
def test_discriminator_loss_against_distributions(logits, t, b):
    d_real, d_fake = logits
    value = goodfellow.discriminator_loss(d_real, d_fake, real_target=t, fake_target=b)
    real, fake = (torch.distributions.Bernoulli(logits=d) for d in logits)
    one, zero = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    log_likelihood = (t * real.log_prob(one) + (1 - t) * real.log_prob(zero)).mean()
    log_likelihood += (b * fake.log_prob(one) + (1 - b) * fake.log_prob(zero)).mean()
    torch.testing.assert_close(value, -log_likelihood)


@pytest.mark.parametrize(
    ("game", "naive", "slope"),
    [
        ("minimax", lambda p: (1 - p).log().mean(), lambda p: -p),
        ("non-saturating", lambda p: -p.log().mean(), lambda p: p - 1),
        ("maximum likelihood", lambda p: -(p / (1 - p)).mean(), lambda p: -p / (1 - p)),
    ],
)
def test_generator_losses(logits, game, naive, slope):
    _, d_fake = logits
    p = d_fake.detach().sigmoid()
    value = LOSSES_OF_G[game](d_fake)
    torch.testing.assert_close(value, naive(p))
    (gradient,) = torch.autograd.grad(value, d_fake)
    torch.testing.assert_close(gradient, slope(p) / len(p))
    assert torch.autograd.gradgradcheck(LOSSES_OF_G[game], d_fake)


def test_minimax_and_non_saturating_gradients_differ(logits):
    _, d_fake = logits
    (minimax,) = torch.autograd.grad(goodfellow.minimax_generator_loss(d_fake), d_fake)
    (other,) = torch.autograd.grad(goodfellow.non_saturating_generator_loss(d_fake), d_fake)
    # -sigma(l) against -sigma(-l): the same sign, and only at l = 0 the same size
    p = d_fake.detach().sigmoid()
    torch.testing.assert_close(minimax / other, p / (1 - p))
    rejected = d_fake.detach() < -2
    assert rejected.any()
    assert (minimax[rejected].abs() < 0.14 * other[rejected].abs()).all()


def test_the_zero_sum_game(logits):
    d_real, d_fake = logits
    real_term = functional.binary_cross_entropy_with_logits(d_real, torch.ones_like(d_real))
    fake_term = goodfellow.discriminator_loss(d_real, d_fake) - real_term
    torch.testing.assert_close(
        goodfellow.minimax_generator_loss(d_fake), -fake_term, rtol=0, atol=1e-14
    )


def test_any_shape_of_logits(logits):
    d_real, d_fake = logits
    column = goodfellow.discriminator_loss(d_real[:, None], d_fake[:, None])
    torch.testing.assert_close(column, goodfellow.discriminator_loss(d_real, d_fake))
    assert column.shape == ()


# --- numerics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_give_finite_costs_and_gradients(logit, dtype):
    d = torch.full((3,), logit, dtype=dtype, requires_grad=True)
    for loss in (
        *LOSSES_OF_G.values(),
        lambda d: goodfellow.discriminator_loss(d, -d),
        lambda d: goodfellow.discriminator_loss(d, d, real_target=0.9, fake_target=0.1),
    ):
        value = loss(d)
        (gradient,) = torch.autograd.grad(value, d)
        assert value.isfinite()
        assert gradient.isfinite().all()


def test_extreme_values():
    d = torch.tensor([1e4], dtype=torch.float64)
    assert goodfellow.discriminator_loss(d, -d) == 0
    assert goodfellow.discriminator_loss(-d, d) == 2e4
    assert goodfellow.minimax_generator_loss(d) == -1e4
    assert goodfellow.non_saturating_generator_loss(-d) == 1e4
    torch.testing.assert_close(
        goodfellow.discriminator_loss(d, -d, real_target=0.9), torch.tensor(1e3).double()
    )


def test_no_threshold_in_double_precision():
    d = torch.tensor([25.0], dtype=torch.float64, requires_grad=True)
    excess = goodfellow.non_saturating_generator_loss(-d) - 25
    assert excess.item() == pytest.approx(math.exp(-25), rel=1e-3)  # torch's softplus gives 0
    assert goodfellow.non_saturating_generator_loss(d).item() == pytest.approx(math.exp(-25))


def test_half_precision_is_summed_in_float32():
    d = torch.linspace(-2, 2, 1001).bfloat16()
    for loss in (*LOSSES_OF_G.values(), lambda d: goodfellow.discriminator_loss(d, d)):
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(d)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, loss(d.float()), rtol=1e-6, atol=0)


# --- the clamp of the maximum likelihood cost ---------------------------------------------------


def test_above_the_clamp_the_cost_follows_its_tangent():
    d = torch.tensor([1.0, 2.0, 3.0, 7.0], dtype=torch.float64, requires_grad=True)
    value, share = goodfellow.maximum_likelihood_generator_loss(d, clamp=2.0)
    e = math.e
    assert value.item() == pytest.approx(-(e + e**2 + 2 * e**2 + 6 * e**2) / 4, rel=1e-14)
    assert share.item() == 0.5  # the logit that equals the clamp is not above it
    (gradient,) = torch.autograd.grad(value, d)
    expected = -torch.tensor([e, e**2, e**2, e**2], dtype=torch.float64) / 4
    torch.testing.assert_close(gradient, expected)
    assert not share.requires_grad


def test_the_clamped_cost_is_the_integral_of_its_gradient():
    def loss(d):
        return goodfellow.maximum_likelihood_generator_loss(d, clamp=1.0)[0]

    d = torch.tensor([-1.0, 0.5, 1.5, 4.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, d)
    assert torch.autograd.gradgradcheck(loss, d)


def test_below_the_clamp_nothing_changes(logits):
    _, d_fake = logits
    value, share = goodfellow.maximum_likelihood_generator_loss(d_fake)
    assert share == 0
    torch.testing.assert_close(value, -d_fake.detach().exp().mean())


@pytest.mark.parametrize("clamp", [51.0, math.inf, math.nan])
def test_refused_clamps(clamp):
    with pytest.raises(ValueError, match=r"`clamp` must be a number up to 50, .* got"):
        goodfellow.maximum_likelihood_generator_loss(torch.zeros(2), clamp=clamp)


def test_the_largest_clamp_is_finite_in_single_precision():
    d = torch.full((64,), 1e4, requires_grad=True)
    value, share = goodfellow.maximum_likelihood_generator_loss(d, clamp=50.0)
    assert value.isfinite()
    assert share == 1


# --- theory -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "b"), TARGETS[:4])
def test_the_optimal_discriminator(toy, t, b):
    p_data, p_g, real, fake = toy
    optimum = (t * p_data + b * p_g) / (p_data + p_g)  # Goodfellow 2016, section 4.2
    logits = optimum.logit().requires_grad_()
    loss = goodfellow.discriminator_loss(logits[real], logits[fake], real_target=t, fake_target=b)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-15)
    for step in torch.randn(20, 5, dtype=torch.float64):  # convex: lower nowhere else
        other = goodfellow.discriminator_loss(
            (logits + step)[real], (logits + step)[fake], real_target=t, fake_target=b
        )
        assert other > loss


def test_the_value_of_the_game_is_the_jensen_shannon_divergence(toy):
    p_data, p_g, real, fake = toy
    logits = (p_data / (p_data + p_g)).logit()
    value = -goodfellow.discriminator_loss(logits[real], logits[fake])
    m = (p_data + p_g) / 2
    jsd = (p_data * (p_data / m).log() + p_g * (p_g / m).log()).sum() / 2
    torch.testing.assert_close(value, 2 * jsd - math.log(4), rtol=0, atol=1e-12)


def test_the_value_at_equilibrium_is_minus_log_four(toy):
    _, _, real, _ = toy
    logits = torch.zeros(5, dtype=torch.float64)
    value = -goodfellow.discriminator_loss(logits[real], logits[real])
    assert value.item() == pytest.approx(-math.log(4), abs=1e-12)


def test_one_sided_smoothing_only_scales_the_optimum_and_two_sided_moves_it(toy):
    p_data, p_g, _, _ = toy
    plain = p_data / (p_data + p_g)
    one_sided = 0.9 * p_data / (p_data + p_g)
    two_sided = (0.9 * p_data + 0.1 * p_g) / (p_data + p_g)
    torch.testing.assert_close(one_sided / plain, torch.full_like(plain, 0.9))
    assert (two_sided / plain).std() > 0.1


def test_maximum_likelihood_descends_the_kullback_leibler_divergence():
    """On Gaussians, D frozen at its optimum, the expectation over z by the trapezoidal rule."""
    mean, scale = 0.7, 0.8  # of the data
    mu, sigma = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (-0.4, 1.3))
    z = torch.linspace(-14, 14, 4001, dtype=torch.float64)
    log_weight = -(z**2) / 2 - math.log(math.sqrt(2 * math.pi)) + math.log(28 / 4000)

    def log_density(x, mean, scale):
        return -(((x - mean) / scale) ** 2) / 2 - math.log(scale * math.sqrt(2 * math.pi))

    x = mu + sigma * z
    logits = log_density(x, mean, scale) - log_density(x, mu.item(), sigma.item())  # D* frozen
    # A mean over the batch of exp(l + log(N w)) is the sum with weights w.
    loss, share = goodfellow.maximum_likelihood_generator_loss(
        logits + log_weight + math.log(len(z)), clamp=50.0
    )
    assert share == 0
    assert loss.item() == pytest.approx(-1, abs=1e-9)  # E[p_data / p_g] = 1
    gradient = torch.stack(torch.autograd.grad(loss, (mu, sigma)))
    kl = (sigma / scale).log() + (scale**2 + (mean - mu) ** 2) / (2 * sigma**2) - 0.5
    expected = torch.stack(torch.autograd.grad(kl, (mu, sigma)))
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-9)
