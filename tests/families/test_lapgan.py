"""LAPGAN: every level trains as if it were alone."""

import copy

import pytest
import torch
from support import Repeated, Rows, trainer
from torch.nn import functional

from gan_lightning import networks
from gan_lightning.families._loop.draws import Draws, Purpose
from gan_lightning.families.lapgan import LAPGAN
from gan_lightning.networks.laplacian import LaplacianDiscriminator, LaplacianGenerator
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1

SHAPE, LATENT, LEVELS = (1, 8, 8), 7, 2


def game_of(*, seed=0, **kwargs):
    torch.manual_seed(seed)
    generator = LaplacianGenerator(SHAPE, LATENT, LEVELS, width=4).double()
    discriminator = LaplacianDiscriminator(SHAPE, LEVELS, width=4).double()
    return LAPGAN(generator, discriminator, **({"latent_dim": LATENT} | kwargs))


def images(n=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *SHAPE, generator=generator, dtype=torch.float64) * 2 - 1


def halved(x):
    return functional.avg_pool2d(x, 2)


def doubled(x):
    return functional.interpolate(x, scale_factor=2, mode="bilinear")


def alone(game, level, x, steps, optimizer):
    """A level's own game: its two networks, its part of the same z, its own two optimizers."""
    g, d = copy.deepcopy((game.generator.networks[level], game.discriminator.networks[level]))
    g_optimizer, d_optimizer = optimizer(g.parameters()), optimizer(d.parameters())
    for _ in range(level):
        x = halved(x)
    given = (doubled(halved(x)),) if level < LEVELS else ()
    real = (x - given[0], *given) if given else (x,)
    rows = {0: slice(0, 2), 1: slice(2, 4), 2: slice(4, 7)}[level]
    draws = Draws(0, torch.device("cpu"), torch.float64)

    def fake(purpose, step):
        draws.begin(purpose, step)
        return g(draws.normal(len(x), LATENT)[:, rows], *given)

    for step in range(steps):
        h = fake(Purpose.DISCRIMINATOR, step).detach()
        cost = functional.softplus(-d(*real)).mean() + functional.softplus(d(h, *given)).mean()
        d_optimizer.zero_grad()
        cost.backward()
        d_optimizer.step()
        cost = functional.softplus(-d(fake(Purpose.GENERATOR, step), *given)).mean()
        g_optimizer.zero_grad()
        cost.backward()
        g_optimizer.step()
    return g, d


def test_every_level_trains_as_if_alone():
    game, x = game_of(generator_optimizer=GANAdam, discriminator_optimizer=GANAdam), images()
    levels = [alone(game, k, x, 4, GANAdam) for k in range(LEVELS + 1)]
    start = copy.deepcopy(game)
    trainer(max_steps=4).fit(game, Repeated(x))
    for k, (g, d) in enumerate(levels):
        for ours, theirs, first in (
            (game.generator.networks[k], g, start.generator.networks[k]),
            (game.discriminator.networks[k], d, start.discriminator.networks[k]),
        ):
            for name, value in theirs.named_parameters():
                mine = ours.get_parameter(name)
                torch.testing.assert_close(mine, value, rtol=1e-15, atol=1e-15)
                assert not torch.equal(value, first.get_parameter(name))


def test_a_level_does_not_feel_what_the_others_are():
    """Other networks on level 1: levels 0 and 2 end where they did, bit by bit."""
    ends = []
    for seed in (0, 9):
        game, other = game_of(), game_of(seed=seed)
        game.generator.networks[1] = other.generator.networks[1]
        game.discriminator.networks[1] = other.discriminator.networks[1]
        trainer(max_steps=3).fit(game, Repeated(images()))
        ends.append({**game.generator.state_dict(), **game.discriminator.state_dict()})
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]) == (".1." not in name[:11]), name


def test_costs_are_sums_over_the_levels():
    game, x = game_of(), images()
    torch.manual_seed(4)
    draws = game.draws
    z = draws.normal(len(x), LATENT)
    i_1 = halved(x)
    stages = [(x, doubled(i_1)), (i_1, doubled(halved(i_1)))]
    costs_of_d, costs_of_g = [], []
    for k, (image, coarse) in enumerate(stages):
        h = game.generator.networks[k](z[:, 2 * k : 2 * k + 2], coarse)
        d = game.discriminator.networks[k]
        p, q = d(image - coarse, coarse).sigmoid(), d(h, coarse).sigmoid()
        costs_of_d.append(-p.log().mean() - (1 - q).log().mean())
        costs_of_g.append(-q.log().mean())
    d = game.discriminator.networks[2]
    p, q = d(halved(i_1)).sigmoid(), d(game.generator.networks[2](z[:, 4:])).sigmoid()
    costs_of_d.append(-p.log().mean() - (1 - q).log().mean())
    costs_of_g.append(-q.log().mean())
    game._draws = draws
    for player, loss, costs in (
        ("discriminator", game.discriminator_loss, costs_of_d),
        ("generator", game.generator_loss, costs_of_g),
    ):
        draws.begin(0, 0)
        objective = loss(x)
        torch.testing.assert_close(objective.loss, sum(costs))
        for k, cost in enumerate(costs):
            torch.testing.assert_close(objective.logs[f"loss/{player}_level_{k}"], cost)


def test_what_is_logged():
    rows, game, x = Rows(), game_of(), images()
    start = copy.deepcopy(game.discriminator)
    real = torch.cat(start.judge_stages(game.generator.stages(x))).detach()
    trainer(max_steps=1, logger=[rows]).fit(game, Repeated(x))
    (_, row) = rows.rows[0]
    for player in ("discriminator", "generator"):
        parts = [row[f"loss/{player}_level_{k}"] for k in range(3)]
        assert row[f"loss/{player}"] == pytest.approx(sum(parts), rel=1e-12)
    assert row["logits/real"] == pytest.approx(float(real.mean()), rel=1e-12)
    assert row["sign/real"] == pytest.approx(float(real.sign().mean()), rel=1e-12)


def test_samples_are_the_averaged_generators():
    game = game_of(ema_halflife=16.0)
    trainer(max_steps=2).fit(game, Repeated(images()))
    z = torch.randn(3, LATENT, dtype=torch.float64)
    torch.testing.assert_close(game.sample(3, z=z), game.generator_ema(z))
    assert game.sample(3, z=z).abs().max() <= 1


# --- refusals ------------------------------------------------------------------------------------


def test_refused_networks():
    g, d = LaplacianGenerator((1, 8, 8), 4, 1, 4), LaplacianDiscriminator((1, 8, 8), 1, 4)
    plain_g, plain_d = networks.mlp((1, 8, 8), 4)
    with pytest.raises(ValueError, match=r"`generator` must have .* but MLPGenerator has not"):
        LAPGAN(plain_g, d, 4)
    with pytest.raises(ValueError, match=r"`discriminator` must have .* but MLPDiscriminator"):
        LAPGAN(g, plain_d, 4)
    deeper = LaplacianDiscriminator((1, 8, 8), 2, 4)
    sentence = "`discriminator` must have the generator's 1 levels but has 2"
    with pytest.raises(ValueError, match=sentence):
        LAPGAN(g, deeper, 4)


def test_networks_for_other_images():
    other = LaplacianDiscriminator((1, 16, 16), LEVELS, width=4).double()
    game = game_of()
    game.discriminator = other
    with pytest.raises(ValueError, match=r"`discriminator` must take samples of shape \(2, 1, 8"):
        trainer(max_steps=1).fit(game, Repeated(images()))
    larger = torch.zeros(6, 1, 16, 16, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"`generator` must return .* \(1, 16, 16\) but gives"):
        trainer(max_steps=1).fit(game_of(), Repeated(larger))


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        (
            {"regularizers": [R1()]},
            "`regularizers` must be empty for LAPGAN, because .* but got R1",
        ),
        (
            {"conditional": True, "num_classes": 3},
            "`conditional` must be False for LAPGAN, because its networks are given coarse images",
        ),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        game_of(**kwargs)
