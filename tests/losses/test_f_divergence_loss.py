"""Every row of Nowozin et al. 2016, Table 6, derived anew by numerical means."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from torch.nn.functional import softplus

from gan_lightning.losses import f_divergence as fd
from gan_lightning.losses import goodfellow
from gan_lightning.losses._lambert import log_lambert_w

ALL = [
    fd.KullbackLeibler(),
    fd.ReverseKullbackLeibler(),
    fd.JensenShannon(),
    fd.GANDivergence(),
    fd.Jeffreys(),
    fd.Pearson(),
    fd.Neyman(),
    fd.SquaredHellinger(),
    fd.TotalVariation(),
]
SMOOTH = ALL[:-1]
FALLING = (fd.ReverseKullbackLeibler, fd.Neyman, fd.SquaredHellinger)
V = torch.linspace(-4, 4, 33, dtype=torch.float64)
BY_NAME = {"ids": lambda d: type(d).__name__}
every = pytest.mark.parametrize("divergence", ALL, **BY_NAME)
smooth = pytest.mark.parametrize("divergence", SMOOTH, **BY_NAME)


def number(function, *values):
    return float(function(*(torch.tensor(v, dtype=torch.float64) for v in values)))


def slope(function, value):
    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    return float(torch.autograd.grad(function(x), x)[0])


# --- the table ---------------------------------------------------------------------------------


def test_the_table_as_printed():
    e, t = math.exp(0.3), -0.4
    expected = {
        fd.KullbackLeibler: (0.3, math.exp(t - 1), 1.0),
        fd.ReverseKullbackLeibler: (-e, -1 - math.log(0.4), -1.0),
        fd.JensenShannon: (math.log(2) - math.log(1 + 1 / e), -math.log(2 - math.exp(t)), 0.0),
        fd.GANDivergence: (-math.log(1 + 1 / e), -math.log(1 - math.exp(t)), -math.log(2)),
        fd.Jeffreys: (0.3, None, 0.0),
        fd.Pearson: (0.3, t**2 / 4 + t, 0.0),
        fd.Neyman: (1 - e, 2 - 2 * math.sqrt(1.4), 0.0),
        fd.SquaredHellinger: (1 - e, t / 1.4, 0.0),
        fd.TotalVariation: (math.tanh(0.3) / 2, t, 0.0),
    }
    w = lambertw(math.exp(1 - t)).real
    assert len(expected) == len(ALL)
    for divergence in ALL:
        activation, conjugate, threshold = expected[type(divergence)]
        conjugate = w + 1 / w + t - 2 if conjugate is None else conjugate
        assert number(divergence.activation, 0.3) == pytest.approx(activation, rel=1e-14)
        assert number(divergence.conjugate, t) == pytest.approx(conjugate, rel=1e-13)
        assert divergence.threshold == threshold


@every
def test_f_is_convex_and_zero_at_one(divergence):
    at_one = -math.log(4) if isinstance(divergence, fd.GANDivergence) else 0.0
    assert number(divergence.f, 1.0) == pytest.approx(at_one, abs=1e-15)
    a, b = torch.rand(2, 200, dtype=torch.float64) * 5 + 1e-3
    middle = divergence.f((a + b) / 2)
    assert (middle <= (divergence.f(a) + divergence.f(b)) / 2 + 1e-12).all()


@smooth
def test_the_threshold_is_the_slope_at_one(divergence):
    assert slope(divergence.f, 1.0) == pytest.approx(divergence.threshold, abs=1e-14)


def test_the_threshold_of_total_variation_is_a_subgradient():
    u = torch.linspace(0.1, 3, 50, dtype=torch.float64)
    tv = fd.TotalVariation()
    assert (tv.f(u) >= tv.threshold * (u - 1)).all()


@every
def test_the_conjugate_is_the_supremum(divergence):
    """f*(t) = sup_u u t - f(u), over log u; all t that the critic can return, u > 0 attained."""
    for v in V[4:-4:2].tolist():
        t = number(divergence.activation, v)
        if isinstance(divergence, fd.Pearson) and t <= -2:
            continue  # attained at u < 0 only, see below

        def minus(s, t=t):
            u = math.exp(s)
            return number(divergence.f, u) - u * t

        grid = np.linspace(-30, 12, 400)
        best = grid[np.argmin([minus(s) for s in grid])]
        found = minimize_scalar(minus, bounds=(best - 0.2, best + 0.2), method="bounded")
        supremum = -min(found.fun, minus(0.0))  # u = 1 is total variation's kink
        assert supremum == pytest.approx(number(divergence.conjugate, t), rel=1e-6, abs=1e-7)


def test_pearsons_conjugate_below_minus_two_is_the_one_over_all_real_u():
    pearson, t = fd.Pearson(), -3.0
    u = torch.arange(-50_000, 50_001, dtype=torch.float64) / 10_000  # 0 is one of them
    values = u * t - pearson.f(u)
    assert values.max().item() == pytest.approx(number(pearson.conjugate, t), abs=1e-8)
    assert values[u >= 0].max().item() == pytest.approx(-1.0, abs=1e-8)
    # the bound only gets lower by it, and the optimal critic f'(u) = 2 (u - 1) is above -2
    assert number(pearson.conjugate, t) > -1


@smooth
def test_the_conjugate_of_the_conjugate_is_f(divergence):
    """f(u) = u t - f*(t) at t = f'(u), and f*' is the inverse of f'."""
    for u in (0.05, 0.4, 1.0, 1.7, 9.0):
        t = slope(divergence.f, u)
        value = u * t - number(divergence.conjugate, t)
        assert value == pytest.approx(number(divergence.f, u), rel=1e-10, abs=1e-12)
        assert slope(divergence.conjugate, t) == pytest.approx(u, rel=1e-9)


@every
def test_the_closed_form_of_conjugate_and_activation(divergence):
    composed = divergence.conjugate(divergence.activation(V))
    torch.testing.assert_close(divergence.conjugate_at(V), composed, rtol=1e-12, atol=1e-13)


@every
def test_the_activation_is_monotone(divergence):
    steps = divergence.activation(V).diff()
    assert ((steps < 0) if isinstance(divergence, FALLING) else (steps > 0)).all()


# --- the bound ------------------------------------------------------------------------------------


class Pair:
    """Two Gaussians with finite divergences of every kind, and integrals over them."""

    def __init__(self, mean_p=0.3, std_p=1.0, mean_q=-0.2, std_q=1.2):
        mean_p, std_p, mean_q, std_q = (
            torch.tensor(v, dtype=torch.float64) for v in (mean_p, std_p, mean_q, std_q)
        )
        self.p = torch.distributions.Normal(mean_p, std_p)
        self.q = torch.distributions.Normal(mean_q, std_q)

    def ratio(self, x):
        return (self.p.log_prob(x) - self.q.log_prob(x)).exp()

    def expectation(self, under, function):
        def integrand(x):
            x = torch.tensor(x, dtype=torch.float64)
            return float(under.log_prob(x).exp() * function(x))

        return quad(integrand, -12, 12, limit=400, epsabs=1e-11, epsrel=1e-11)[0]


def divergence_of(pair, divergence):
    """By its integral, not through f."""
    p, q, e = pair.p, pair.q, pair.expectation

    def log_ratio(x):
        return p.log_prob(x) - q.log_prob(x)

    def js(x):  # log 2p / (p + q)
        return math.log(2) - softplus(-log_ratio(x))

    def js_q(x):
        return math.log(2) - softplus(log_ratio(x))

    kl, reverse = e(p, log_ratio), e(q, lambda x: -log_ratio(x))
    two_js = e(p, js) + e(q, js_q)
    return {
        fd.KullbackLeibler: lambda: kl,
        fd.ReverseKullbackLeibler: lambda: reverse,
        fd.JensenShannon: lambda: two_js,
        fd.GANDivergence: lambda: two_js - math.log(4),
        fd.Jeffreys: lambda: kl + reverse,
        fd.Pearson: lambda: e(q, lambda x: pair.ratio(x) ** 2) - 1,
        fd.Neyman: lambda: e(p, lambda x: pair.ratio(x) ** -2) - 1,
        fd.SquaredHellinger: lambda: 2 - 2 * e(q, lambda x: pair.ratio(x).sqrt()),
        fd.TotalVariation: lambda: e(q, lambda x: (pair.ratio(x) - 1).abs()) / 2,
    }[type(divergence)]()


def test_the_integrals_against_closed_forms():
    pair = Pair()
    kl = math.log(1.2) + (1 + 0.5**2) / (2 * 1.44) - 0.5
    assert divergence_of(pair, fd.KullbackLeibler()) == pytest.approx(kl, rel=1e-9)
    torch_kl = torch.distributions.kl_divergence(pair.q, pair.p).item()
    assert divergence_of(pair, fd.ReverseKullbackLeibler()) == pytest.approx(torch_kl, rel=1e-9)
    hellinger = 2 - 2 * math.sqrt(2 * 1.2 / 2.44) * math.exp(-(0.5**2) / 4 / 2.44)
    assert divergence_of(pair, fd.SquaredHellinger()) == pytest.approx(hellinger, rel=1e-9)


OPTIMAL = {  # v with g_f(v) = f'(u)
    fd.KullbackLeibler: lambda u: 1 + u.log(),
    fd.ReverseKullbackLeibler: lambda u: -u.log(),
    fd.JensenShannon: lambda u: u.log(),
    fd.GANDivergence: lambda u: u.log(),
    fd.Jeffreys: lambda u: u.log() + 1 - 1 / u,
    fd.Pearson: lambda u: 2 * (u - 1),
    fd.Neyman: lambda u: -2 * u.log(),
    fd.SquaredHellinger: lambda u: -u.log() / 2,
}


@smooth
def test_the_decision_is_positive_where_data_are_likelier(divergence):
    u = torch.tensor([0.1, 0.9, 1.1, 7.0], dtype=torch.float64)
    v = OPTIMAL[type(divergence)](u)
    assert fd.decision(v, divergence=divergence).sign().tolist() == [-1, -1, 1, 1]


def bound(pair, divergence, v):
    real = pair.expectation(pair.p, lambda x: divergence.activation(v(x)))
    return real - pair.expectation(pair.q, lambda x: divergence.conjugate_at(v(x)))


@smooth
def test_the_bound_is_the_divergence_at_the_optimal_critic_and_below_it_elsewhere(divergence):
    # Neyman's chi-square needs the data to be the wider of the two
    pair = Pair(std_p=1.2, std_q=1.0) if isinstance(divergence, fd.Neyman) else Pair()
    optimal = OPTIMAL[type(divergence)]
    for u in (0.3, 1.0, 4.0):
        v = number(optimal, u)
        assert number(divergence.activation, v) == pytest.approx(slope(divergence.f, u), rel=1e-12)
    exact = divergence_of(pair, divergence)
    assert bound(pair, divergence, lambda x: optimal(pair.ratio(x))) == pytest.approx(
        exact, abs=1e-9
    )
    others = (
        lambda x: optimal(pair.ratio(x)) + 0.2,
        lambda x: optimal(pair.ratio(x)) + 0.3 * x.sin(),
        lambda x: 0 * x - 0.1,
    )
    assert all(bound(pair, divergence, v) < exact - 1e-4 for v in others)


def test_total_variation_reaches_its_bound_in_the_limit():
    pair, tv = Pair(), fd.TotalVariation()
    exact = divergence_of(pair, tv)
    gaps = [exact - bound(pair, tv, lambda x, k=k: k * pair.ratio(x).log()) for k in (1, 10, 100)]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] == pytest.approx(0, abs=1e-3)


# --- costs and numerics ---------------------------------------------------------------------------


@every
def test_the_costs(divergence):
    v_real, v_fake = torch.randn(2, 20, dtype=torch.float64)
    real = divergence.activation(v_real).mean()
    fake = divergence.conjugate(divergence.activation(v_fake)).mean()
    d_loss = fd.discriminator_loss(v_real, v_fake, divergence=divergence)
    torch.testing.assert_close(d_loss, -(real - fake))
    torch.testing.assert_close(fd.generator_loss(v_fake, divergence=divergence), -fake)
    alternative = fd.alternative_generator_loss(v_fake, divergence=divergence)
    torch.testing.assert_close(alternative, -divergence.activation(v_fake).mean())


def test_the_gan_divergence_is_goodfellows_game():
    v_real, v_fake = torch.randn(2, 20, dtype=torch.float64)
    gan = fd.GANDivergence()
    torch.testing.assert_close(
        fd.discriminator_loss(v_real, v_fake, divergence=gan),
        goodfellow.discriminator_loss(v_real, v_fake),
    )
    torch.testing.assert_close(
        fd.generator_loss(v_fake, divergence=gan), goodfellow.minimax_generator_loss(v_fake)
    )
    torch.testing.assert_close(
        fd.alternative_generator_loss(v_fake, divergence=gan),
        goodfellow.non_saturating_generator_loss(v_fake),
    )


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [50.0, -50.0])
def test_large_outputs_give_finite_costs_and_gradients(divergence, dtype, size):
    v = torch.full((3,), size, dtype=dtype, requires_grad=True)
    for cost in (
        fd.discriminator_loss(v, v, divergence=divergence),
        fd.generator_loss(v, divergence=divergence),
        fd.alternative_generator_loss(v, divergence=divergence),
    ):
        (gradient,) = torch.autograd.grad(cost, v, retain_graph=True)
        assert cost.isfinite()
        assert cost.dtype == torch.promote_types(dtype, torch.float32)
        assert gradient.isfinite().all()


@every
def test_gradients(divergence):
    v = torch.randn(6, dtype=torch.float64, requires_grad=True)
    for cost in (fd.generator_loss, fd.alternative_generator_loss):
        assert torch.autograd.gradcheck(lambda v, c=cost: c(v, divergence=divergence), v)
        assert torch.autograd.gradgradcheck(lambda v, c=cost: c(v, divergence=divergence), v)


def test_lamberts_w_against_scipy():
    y = torch.cat([torch.linspace(-300, 600, 5001), torch.logspace(0, 2.5, 200)]).double()
    mine = log_lambert_w(y)
    torch.testing.assert_close(mine.exp(), torch.from_numpy(lambertw(np.exp(y.numpy())).real))
    torch.testing.assert_close(mine + mine.exp(), y, rtol=1e-14, atol=1e-14)
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(log_lambert_w(y).sum(), y)
    torch.testing.assert_close(gradient, 1 / (1 + mine.exp()))
    some = torch.tensor([-30.0, -1.0, 0.999, 1.0, 1.001, 40.0], dtype=torch.float64)
    some.requires_grad_()
    assert torch.autograd.gradcheck(log_lambert_w, some)
    assert torch.autograd.gradgradcheck(log_lambert_w, some)


def test_jeffreys_conjugate_keeps_its_digits_near_zero():
    t = 1e-9  # f*(0) = 0 and f*'(0) = u = 1
    assert number(fd.Jeffreys().conjugate, t) == pytest.approx(t, rel=1e-6)
