"""BiGAN and ALI: costs against naive ones, one player of two networks, codes and their use."""

import pytest
import torch
from support import LATENT, Repeated, points, trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.families.bigan import BiGAN
from gan_lightning.networks.encoder import JointDiscriminator, MLPEncoder
from gan_lightning.regularizers import R1, R2

both_kinds = pytest.mark.parametrize("stochastic", [False, True])


def game_of(stochastic=False, *, seed=0, **kwargs):
    torch.manual_seed(seed)
    generator = networks.MLPGenerator((2,), LATENT, 16, 2).double()
    pair = {
        "discriminator": JointDiscriminator((2,), LATENT, width=16).double(),
        "encoder": MLPEncoder((2,), LATENT, 16, 2, stochastic=stochastic).double(),
    }
    return BiGAN(generator, latent_dim=LATENT, **(pair | kwargs))


def pairs(game, x, seed):
    """z_hat and z as a loss that is called by hand draws them: z first, then the encoder's eps."""
    torch.manual_seed(seed)
    draws = game.draws  # one object, as inside of a turn
    z = draws.normal(len(x), LATENT)
    encoded = game.encoder(x)
    if not game.stochastic:
        return encoded, z, draws
    eps = draws.normal(len(x), LATENT)
    return encoded[:, 0] + (encoded[:, 1] / 2).exp() * eps, z, draws


def probabilities(game, x, z_hat, z):
    p = game.discriminator(x, z_hat).sigmoid()
    q = game.discriminator(game.generator(z), z).sigmoid()
    return p, q


@both_kinds
def test_costs_against_naive_ones(stochastic):
    game = game_of(stochastic)
    x = torch.randn(16, 2, dtype=torch.float64)
    z_hat, z, draws = pairs(game, x, 3)
    p, q = probabilities(game, x, z_hat, z)
    game._draws = draws
    for loss, naive in (
        (game.discriminator_loss, -p.log().mean() - (1 - q).log().mean()),
        (game.generator_loss, -(1 - p).log().mean() - q.log().mean()),
    ):
        draws.begin(0, 0)
        torch.testing.assert_close(loss(x).loss, naive)


@both_kinds
def test_gradients_of_the_player_of_two(stochastic):
    """Naive probabilities again; both networks' parameters, E's through the real pairs alone."""
    game = game_of(stochastic)
    x = torch.randn(16, 2, dtype=torch.float64)
    z_hat, z, draws = pairs(game, x, 3)
    p, q = probabilities(game, x, z_hat, z)
    game._draws = draws
    draws.begin(0, 0)
    of_e, of_g = list(game.encoder.parameters()), list(game.generator.parameters())
    ours = torch.autograd.grad(game.generator_loss(x).loss, of_e + of_g)
    theirs = torch.autograd.grad(-(1 - p).log().mean(), of_e, retain_graph=True)
    theirs += torch.autograd.grad(-q.log().mean(), of_g)
    for mine, naive in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, naive)
        assert mine.abs().sum() > 0


def test_a_stochastic_code_has_the_encoders_mean_and_spread():
    game = game_of(stochastic=True)
    mean, log_variance = torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([-2.0, 0.0, 1.0, -4.0])
    encoded = torch.stack([mean, log_variance]).double().expand(40_000, 2, LATENT)
    codes = game._code(encoded)
    torch.testing.assert_close(codes.mean(0), mean.double(), rtol=0, atol=0.03)
    torch.testing.assert_close(codes.var(0), log_variance.double().exp(), rtol=0.03, atol=0)


def test_at_the_optimum_the_encoder_inverts_the_generator():
    """A linear G with its inverse as E: D sees equal distributions, and 0 is a stationary point."""
    generator, encoder = nn.Linear(2, 2, bias=False).double(), nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        generator.weight.copy_(torch.tensor([[2.0, 1.0], [0.0, 0.5]]))
        encoder.weight.copy_(generator.weight.inverse())
    d = JointDiscriminator((2,), 2, width=8).double()
    game = BiGAN(generator, d, latent_dim=2, encoder=encoder)
    torch.manual_seed(2)
    draws = game.draws
    x = generator(draws.normal(32, 2)).detach()  # the data that G makes of the same z
    game._draws = draws
    draws.begin(0, 0)
    objective = game.discriminator_loss(x)
    torch.testing.assert_close(objective.d_real, objective.d_fake)
    torch.testing.assert_close(game.reconstruct(x), x)
    gradients = torch.autograd.grad(objective.loss, d.logit.weight)
    # real and fake pairs are the same pairs: the costs' slopes sigma(l) - 1 and sigma(l) add up
    features = d.features(x, encoder(x))
    slope = 2 * objective.d_real.sigmoid() - 1
    torch.testing.assert_close(gradients[0], (slope[:, None] * features).mean(0, keepdim=True))


# --- regularizers --------------------------------------------------------------------------------


def test_r1_sees_both_of_a_pair():
    game = game_of(regularizers=[R1(0.8)])
    x = torch.randn(8, 2, dtype=torch.float64)
    z_hat = game.encoder(x).detach()
    leaves = [x.clone().requires_grad_(), z_hat.clone().requires_grad_()]
    by_x, by_z = torch.autograd.grad(game.discriminator(*leaves).sum(), leaves)
    objective = game.discriminator_loss(x)
    penalty = game.regularizers[0].penalty(game, objective.real, objective.fake)
    expected = 0.4 * (by_x.square().sum(1) + by_z.square().sum(1)).mean()
    torch.testing.assert_close(penalty, expected)
    assert by_z.abs().sum() > 0


def test_penalties_on_fakes_see_the_pairs_of_the_generator():
    game = game_of(regularizers=[R2(0.8)])
    x = torch.randn(8, 2, dtype=torch.float64)
    torch.manual_seed(3)
    objective = game.discriminator_loss(x)
    torch.manual_seed(3)
    z = game.noise(8)
    leaves = [game.generator(z).detach().requires_grad_(), z.clone().requires_grad_()]
    by_x, by_z = torch.autograd.grad(game.discriminator(*leaves).sum(), leaves)
    penalty = game.regularizers[0].penalty(game, objective.real, objective.fake)
    expected = 0.4 * (by_x.square().sum(1) + by_z.square().sum(1)).mean()
    torch.testing.assert_close(penalty, expected)


# --- in a fit ------------------------------------------------------------------------------------


@both_kinds
def test_averages_codes_and_reconstructions(stochastic):
    game = game_of(stochastic, ema_halflife=32.0, regularizers=[R1(0.1)])
    before = {n: p.detach().clone() for n, p in game.encoder.named_parameters()}
    trainer(max_steps=4).fit(game, datamodule=points())
    assert all(not torch.equal(p, before[n]) for n, p in game.encoder.named_parameters())
    x = torch.randn(600, 2, dtype=torch.float64)  # more than a batch
    with torch.no_grad():
        encoded = game.encoder_ema(x)
        mean = encoded[:, 0] if stochastic else encoded
        rebuilt = game.generator_ema(mean)
    torch.testing.assert_close(game.encode(x), mean)
    torch.testing.assert_close(game.reconstruct(x), rebuilt)
    assert not torch.allclose(game.encoder(x), encoded)
    assert game.encode(x.float()).dtype == torch.float64


def test_without_an_average_the_trained_networks_are_used():
    game = game_of(ema_halflife=None)
    assert game.encoder_ema is None
    assert game.averages() == []
    x = torch.randn(3, 2, dtype=torch.float64)
    torch.testing.assert_close(game.encode(x), game.encoder(x).detach())
    torch.testing.assert_close(game.reconstruct(x), game.generator(game.encoder(x)).detach())


def test_encode_uses_running_statistics_and_leaves_the_mode():
    encoder = nn.Sequential(nn.Linear(2, LATENT), nn.BatchNorm1d(LATENT)).double()
    game = game_of(encoder=encoder)
    x = torch.randn(5, 2, dtype=torch.float64)
    torch.testing.assert_close(game.encode(x)[:1], game.encode(x[:1]))
    assert encoder.training
    assert game.encoder_ema.training
    assert int(game.encoder_ema[1].num_batches_tracked) == 0


def test_checking_the_networks_leaves_no_trace():
    encoder = nn.Sequential(nn.Linear(2, LATENT), nn.BatchNorm1d(LATENT)).double()
    game = game_of(encoder=encoder)
    game.check_networks(torch.randn(2, 2, dtype=torch.float64))
    assert int(encoder[1].num_batches_tracked) == 0


# --- refusals ------------------------------------------------------------------------------------


class TwoLogits(nn.Linear):
    def forward(self, x, z):
        return super().forward(x)


class Both(nn.Linear):
    """An encoder that gives mean and log variance apart."""

    def __init__(self):
        super().__init__(2, LATENT)

    def forward(self, x):
        return super().forward(x), super().forward(x)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        (
            {"encoder": nn.Linear(2, LATENT + 1)},
            r"`encoder` must return a tensor with codes of shape \(2, 4\) but gives \(2, 5\)",
        ),
        ({"encoder": Both()}, r"`encoder` must return a tensor with codes .* but gives tuple"),
        (
            {"encoder": nn.Linear(3, LATENT)},
            r"`encoder` must take samples of shape \(2, 2\) but fails on it",
        ),
        (
            {"discriminator": nn.Linear(2, 1)},
            r"`discriminator` must take samples of shape \(2, 2\) with codes of shape \(2, 4\) but",
        ),
        ({"discriminator": TwoLogits(2, 2)}, r"`discriminator` must return one logit a sample"),
    ],
)
def test_refused_networks(kwargs, match):
    game = game_of(**{k: m.double() for k, m in kwargs.items()})
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=1).fit(game, Repeated(torch.randn(8, 2)))


def test_refused_stochastic_codes():
    encoder = nn.Linear(2, LATENT).double()
    encoder.stochastic = True  # but gives codes
    sentence = (
        r"`encoder` must return a tensor with mean and log variance of shape \(2, 2, 4\) but gives"
    )
    with pytest.raises(ValueError, match=sentence):
        trainer(max_steps=1).fit(game_of(encoder=encoder), Repeated(torch.randn(8, 2)))


def test_refused_encoder():
    with pytest.raises(ValueError, match=r"`encoder` must be a network .* but got None"):
        BiGAN(nn.Linear(4, 2), nn.Linear(2, 1), 4, encoder=None)


def test_refused_labels():
    with pytest.raises(ValueError, match="`conditional` must be False for BiGAN, because its enc"):
        game_of(conditional=True, num_classes=3)
