"""InfoGAN: codes in z, the information term, whose turn moves what, and reading codes back."""

import math

import pytest
import torch
from support import Repeated, Rows, trainer
from torch import nn
from torch.distributions import Categorical, Normal

from gan_lightning import networks
from gan_lightning.families.infogan import InfoGAN

CODES = {"categorical": (3, 2), "continuous": 2}
NOISE, LATENT = 4, 4 + 3 + 2 + 2


def game(generator=None, discriminator=None, latent_dim=LATENT, **kwargs):
    torch.manual_seed(0)
    made = networks.mlp((2,), latent_dim, width=8, depth=2)
    generator, discriminator = generator or made[0], discriminator or made[1]
    return InfoGAN(generator.double(), discriminator.double(), latent_dim, **(CODES | kwargs))


def points(n=6):
    return torch.randn(n, 2, dtype=torch.float64)


def check_layout(z):
    """Noise, one-hot codes, codes in [-1, 1]."""
    noise, first, second, continuous = z.split([NOISE, 3, 2, 2], dim=1)
    for one_hot in (first, second):
        assert set(one_hot.unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(one_hot.sum(1), torch.ones_like(one_hot[:, 0]))
        share = one_hot.mean(0) - 1 / one_hot.shape[1]
        assert share.abs().max() < 0.03
    assert continuous.abs().max() <= 1
    torch.testing.assert_close(continuous.var(), torch.tensor(1 / 3).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(noise.std(), torch.tensor(1.0).double(), atol=0.03, rtol=0)


def test_layout_of_z():
    model = game()
    assert model.noise_dim == NOISE
    check_layout(model.noise(4000))
    check_layout(model.latent(4000, seed=1))
    z, codes = model.coded_noise(50)
    for one_hot, code in zip(z[:, NOISE:-2].split([3, 2], 1), codes.categorical, strict=True):
        assert torch.equal(one_hot.argmax(1), code)
    assert torch.equal(z[:, -2:], codes.continuous)


def test_latent_follows_its_seed_and_truncates_the_noise_alone():
    model = game()
    z = model.latent(200, seed=3)
    assert z.dtype == torch.float64
    assert torch.equal(z, model.latent(200, seed=3))
    assert not torch.equal(z, model.latent(200, seed=4))
    assert not torch.equal(model.latent(200), model.latent(200))
    cut = model.latent(200, seed=3, truncation=0.5)
    assert cut[:, :NOISE].abs().max() <= 0.5
    assert torch.equal(cut[:, NOISE:], z[:, NOISE:])
    correlation = torch.corrcoef(model.latent(4000, seed=0)[:, [0, 1, -2, -1]].T)
    # Noise and codes have seeds of their own.
    assert (correlation - torch.eye(4)).abs().max() < 0.06


def information(model, x_fake, codes):
    """The bounds by torch.distributions."""
    out = model.q_head(model.discriminator.features(x_fake))
    first, second, mean, raw = out.split([3, 2, 2, 2], dim=1)
    categorical = math.log(3) + math.log(2)
    for logits, code in zip((first, second), codes.categorical, strict=True):
        categorical = categorical + Categorical(logits=logits).log_prob(code).mean()
    normal = Normal(mean, torch.exp(3 * torch.tanh(raw / 3)))
    continuous = normal.log_prob(codes.continuous).sum(1).mean() + 2 * math.log(2)
    return categorical, continuous


@pytest.mark.parametrize("trunk", [False, True])
def test_costs(trunk):
    model = game(trunk_information=trunk, categorical_weight=0.7, continuous_weight=0.2)
    x = points()
    torch.manual_seed(1)
    objective = model.discriminator_loss(x)
    torch.manual_seed(1)
    z, codes = model.coded_noise(len(x))
    x_fake = model.generator(z)
    torch.testing.assert_close(objective.x_fake, x_fake)
    p_real, p_fake = (torch.sigmoid(model.discriminator(v)) for v in (x, x_fake))
    categorical, continuous = information(model, x_fake, codes)
    bound = 0.7 * categorical + 0.2 * continuous
    expected = -p_real.log().mean() - (1 - p_fake).log().mean() - (bound if trunk else 0)
    torch.testing.assert_close(objective.loss, expected, rtol=0, atol=1e-12)
    torch.manual_seed(1)
    objective = model.generator_loss(x)
    torch.testing.assert_close(objective.loss, -p_fake.log().mean() - bound, rtol=0, atol=1e-12)
    torch.testing.assert_close(objective.logs["information/categorical"], categorical)
    torch.testing.assert_close(objective.logs["information/continuous"], continuous)


@pytest.mark.parametrize(
    ("codes", "names"),
    [
        ({"categorical": (3,), "continuous": 0}, {"information/categorical"}),
        ({"categorical": (), "continuous": 1}, {"information/continuous"}),
    ],
)
def test_one_kind_of_code(codes, names):
    model = game(**codes)
    assert set(model.generator_loss(points()).logs) == names
    trainer(max_steps=2).fit(model, Repeated(points()))
    probabilities, means = model.posterior(points())
    assert len(probabilities) == len(codes["categorical"])
    assert means.shape == (6, codes["continuous"])


class Turns:
    """Parameters before, between and after the turns of one step, and who had gradients."""

    def __init__(self, model):
        self.before = self.values(model)
        model.on_discriminator_moved = lambda: self.note(model)
        trainer(max_steps=1).fit(model, Repeated(points()))
        del model.on_discriminator_moved
        self.after = self.values(model)

    def note(self, model):
        self.between = self.values(model)
        self.gradients_of_d = {n: p.grad is not None for n, p in model.named_parameters()}

    @staticmethod
    def values(model):
        kept = ("generator.", "discriminator.", "q_head.")
        return {n: p.detach().clone() for n, p in model.named_parameters() if n.startswith(kept)}

    @staticmethod
    def moved(old, new):
        return {name for name in old if not torch.equal(old[name], new[name])}


@pytest.mark.parametrize("trunk", [False, True])
def test_who_moves_in_whose_turn(trunk):
    model = game(trunk_information=trunk)
    turns = Turns(model)
    of_d = {n for n in turns.before if n.startswith("discriminator.")}
    of_g = set(turns.before) - of_d  # G and Q's head
    assert turns.moved(turns.before, turns.between) == of_d
    assert turns.moved(turns.between, turns.after) == of_g
    assert not any(turns.gradients_of_d[name] for name in of_g)


@pytest.mark.parametrize("trunk", [False, True])
def test_the_information_reaches_d_only_when_asked(trunk):
    """D's gradient with and without weights on the information, from the same draws."""
    gradients = []
    for weight in (0.0, 1.0):
        model = game(trunk_information=trunk, categorical_weight=weight, continuous_weight=weight)
        x = points()
        torch.manual_seed(1)
        loss = model.discriminator_loss(x).loss
        gradients.append(torch.autograd.grad(loss, tuple(model.discriminator.parameters())))
    differ = [not torch.allclose(a, b) for a, b in zip(*gradients, strict=True)]
    names = [name for name, _ in model.discriminator.named_parameters()]
    expected = [trunk and name.startswith("body.") for name in names]
    assert differ == expected  # and never the layer that gives the logit


def test_rows_of_the_log():
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(game(), Repeated(points()))
    row = rows.rows[0][1]
    assert row["information/categorical"] <= math.log(6)
    assert math.isfinite(row["information/continuous"])


class Shows(nn.Module):
    """A generator whose samples are the codes themselves, and a D that keeps them as features."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z):
        return self.scale * z[:, NOISE:]


class Keeps(nn.Module):
    feature_dim = 7

    def __init__(self):
        super().__init__()
        self.logit = nn.Linear(7, 1)

    def features(self, x):
        return x

    def forward(self, x):
        return self.logit(x)


def test_posterior_reads_codes_that_samples_show():
    model = game(Shows(), Keeps())
    model.q_head = nn.Linear(7, 9, dtype=torch.float64)  # logits 3, 2; means 2; log-stds 2
    with torch.no_grad():
        model.q_head.weight.zero_()
        model.q_head.bias.zero_()
        model.q_head.weight[:5, :5] = 100 * torch.eye(5)
        model.q_head.weight[5:7, 5:7] = torch.eye(2)
    z = model.latent(20, seed=0)
    x = model.sample(20, z=z)
    model.train()
    probabilities, means = model.posterior(x.float())
    assert model.discriminator.training
    torch.testing.assert_close(torch.cat(probabilities, 1), z[:, NOISE:-2], rtol=0, atol=1e-12)
    torch.testing.assert_close(means, z[:, -2:], rtol=0, atol=1e-6)


def test_traversal_changes_one_code_along_a_row():
    model = game(Shows(), Keeps())
    grid = model.traverse(0, rows=4).view(4, 3, 7)
    torch.testing.assert_close(grid[..., :3], torch.eye(3).double().expand(4, 3, 3))
    assert torch.equal(grid[..., 3:], grid[:, :1, 3:].expand(4, 3, 4))
    assert not torch.equal(grid[0, 0, 5:], grid[1, 0, 5:])
    grid = model.traverse(1, rows=2).view(2, 2, 7)
    torch.testing.assert_close(grid[..., 3:5], torch.eye(2).double().expand(2, 2, 2))
    grid = model.traverse(3, rows=2, columns=5, limit=2.0).view(2, 5, 7)
    torch.testing.assert_close(grid[0, :, 6], torch.linspace(-2, 2, 5).double())
    assert torch.equal(grid[..., :6], grid[:, :1, :6].expand(2, 5, 6))
    assert torch.equal(model.traverse(3, seed=5), model.traverse(3, seed=5))
    assert model.traverse(2).shape == (100, 7)


@pytest.mark.parametrize("code", [-1, 4])
def test_traversal_of_no_code(code):
    with pytest.raises(ValueError, match=rf"`code` must lie in 0, ..., 3 but got {code}"):
        game().traverse(code)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"latent_dim": 7}, r"`latent_dim` must be more than the 7 numbers of the codes .* got 7"),
        ({"latent_dim": 5}, r"`latent_dim` must be more than the 7 numbers .* but got 5"),
        (
            {"categorical": (), "continuous": 0},
            "`categorical` or `continuous` must name a code but there is none",
        ),
        ({"categorical": (1,)}, "`categorical` must hold integers of at least 2 but got 1"),
        ({"continuous": -1}, "`continuous` must be an integer of at least 0 but got -1"),
        ({"categorical_weight": -0.1}, "`categorical_weight` must be a finite number .* -0.1"),
        ({"continuous_weight": math.inf}, "`continuous_weight` must be a finite number .* inf"),
        ({"discriminator": nn.Linear(2, 1)}, r"must have `features\(x\)` .* for InfoGAN, whose Q"),
        (
            {"conditional": True, "num_classes": 3},
            "`conditional` must be False for InfoGAN, because its codes take the place of labels",
        ),
    ],
)
def test_refusals(kwargs, match):
    with pytest.raises(ValueError, match=match):
        game(**kwargs)
