"""Unrolled GAN: theta_D^K against K real steps, gradients of G against finite differences."""

import copy

import pytest
import torch
from support import LATENT
from torch import nn
from torch.optim import SGD, Adam

from gan_lightning.families.goodfellow import MinimaxGAN
from gan_lightning.families.unrolled import UnrolledGAN
from gan_lightning.losses import goodfellow
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1, R2, GradientPenalty

OPTIMIZERS = {
    "sgd": lambda params: SGD(params, lr=0.5),
    "sgd with everything": lambda params: SGD(
        params, lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.1
    ),
    "adam": lambda params: Adam(params, lr=0.02, betas=(0.5, 0.9), weight_decay=0.05),
    "gan adam": lambda params: GANAdam(params, lr=0.01),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


class Smooth(nn.Sequential):
    """A network without kinks, for finite differences; labels, if any, join its input."""

    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs, 4), nn.Tanh(), nn.Linear(4, 3), nn.Tanh())
        self.append(nn.Linear(3, outputs))

    def forward(self, x, *labels):
        y = [label[:, None].to(x) for label in labels]
        return super().forward(torch.cat([x, *y], 1))


class Normalised(nn.Module):
    """Batch norm and spectral norm: layers with buffers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.utils.parametrizations.spectral_norm(nn.Linear(2, 5)),
            nn.BatchNorm1d(5),
            nn.Tanh(),
            nn.Linear(5, 1),
        )

    def forward(self, x):
        return self.layers(x)


def game_of(name="sgd", *, conditional=False, discriminator=None, moments=3, **kwargs):
    """A game outside of a fit whose D has an optimizer that has made some steps."""
    torch.manual_seed(5)
    labels = 1 if conditional else 0
    generator = Smooth(LATENT + labels, 2).double()
    discriminator = (discriminator or Smooth(2 + labels, 1)).double()
    if conditional:
        kwargs |= {"num_classes": 3, "conditional": True}
    game = UnrolledGAN(generator, discriminator, LATENT, **kwargs)
    optimizer = OPTIMIZERS[name](list(discriminator.parameters()))
    game.discriminator_optimizer = lambda params: optimizer
    x = torch.randn(8, 2, dtype=torch.float64)
    given = (torch.arange(8) % 3,) if conditional else ()
    for _ in range(moments):
        optimizer.zero_grad()
        game.discriminator_loss(x, *given).loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return game, optimizer, x, given


def real_steps(game, optimizer, x, x_fake, given, steps, penalty=None):
    """theta_D^K by the optimizer's own steps on a copy of D."""
    d, o = copy.deepcopy((game.discriminator, optimizer))
    for _ in range(steps):
        o.zero_grad()
        loss = goodfellow.discriminator_loss(d(x, *given), d(x_fake, *given))
        if penalty is not None:
            loss = loss + penalty(d)
        loss.backward()
        o.step()
    return d, o


def gradient_of_generator(game, x, given=()):
    torch.manual_seed(11)  # the noise of a loss that is called by hand
    game.generator.zero_grad()
    game.generator_loss(x, *given).loss.backward()
    return torch.cat([p.grad.flatten() for p in game.generator.parameters()])


def finite_differences(game, value, h=1e-5):
    differences = []
    for p in game.generator.parameters():
        for i in range(p.numel()):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    p.view(-1)[i] += sign * h
                ends.append(float(value()))
                with torch.no_grad():
                    p.view(-1)[i] -= sign * h
            differences.append((ends[0] - ends[1]) / (2 * h))
    return torch.tensor(differences, dtype=torch.float64)


# --- the unrolled discriminator ------------------------------------------------------------------


@every_optimizer
@pytest.mark.parametrize("moments", [0, 3])
@pytest.mark.parametrize("conditional", [False, True])
def test_k_steps_are_k_real_steps(name, moments, conditional):
    game, optimizer, x, given = game_of(name, moments=moments, conditional=conditional, unrolling=5)
    x_fake = game.generator(torch.randn(8, LATENT).double(), *given)
    ahead = game.look_ahead(optimizer, x, x_fake, *given)
    d, _ = real_steps(game, optimizer, x, x_fake.detach(), given, 5)
    for key, value in d.named_parameters():
        torch.testing.assert_close(ahead[key], value, rtol=1e-14, atol=1e-14)


def test_regularizers_take_part():
    game, optimizer, x, _ = game_of("gan adam", regularizers=[R1(0.7)])
    x_fake = game.generator(torch.randn(8, LATENT).double())

    def penalty(d):
        leaf = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(d(leaf).sum(), leaf, create_graph=True)
        return 0.35 * g.square().sum(1).mean()

    ahead = game.look_ahead(optimizer, x, x_fake)
    d, _ = real_steps(game, optimizer, x, x_fake.detach(), (), 5, penalty)
    without, _ = real_steps(game, optimizer, x, x_fake.detach(), (), 5)
    for key, value in d.named_parameters():
        torch.testing.assert_close(ahead[key], value, rtol=1e-13, atol=1e-13)
    assert not torch.allclose(ahead["0.weight"], dict(without.named_parameters())["0.weight"])


def test_buffers_go_along_and_the_discriminators_own_stay():
    game, optimizer, x, _ = game_of("adam", discriminator=Normalised())
    x_fake = game.generator(torch.randn(8, LATENT).double())
    own = copy.deepcopy(game.discriminator.state_dict())
    moments = copy.deepcopy(optimizer.state_dict()["state"])
    ahead = game.look_ahead(optimizer, x, x_fake)
    gradient_of_generator(game, x)
    for key, value in game.discriminator.state_dict().items():
        assert torch.equal(value, own[key]), key
    for index, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(v, moments[index][k]) for k, v in state.items())
    d, _ = real_steps(game, optimizer, x, x_fake.detach(), (), 5)
    for key, value in (*d.named_parameters(), *d.named_buffers()):
        torch.testing.assert_close(ahead[key], value, rtol=1e-13, atol=1e-13)
    assert int(ahead["layers.1.num_batches_tracked"]) == 16  # 3 steps and 5, with two batches each
    assert all(p.grad is None and p.is_leaf for p in game.discriminator.parameters())


def test_frozen_layers_stay_put():
    game, optimizer, x, _ = game_of("sgd with everything", moments=0)
    frozen = game.discriminator[0].requires_grad_(False)
    x_fake = game.generator(torch.randn(8, LATENT).double())
    game.discriminator_loss(x)  # D's turn
    game.discriminator.requires_grad_(False)  # what G's turn does
    ahead = game.look_ahead(optimizer, x, x_fake)
    assert torch.equal(ahead["0.weight"], frozen.weight)
    assert torch.equal(ahead["0.bias"], frozen.bias)
    assert not torch.equal(ahead["2.weight"], game.discriminator[2].weight)
    assert ahead["2.weight"].requires_grad


# --- the generator's gradient --------------------------------------------------------------------


def test_no_unrolling_is_the_plain_zero_sum_game():
    game, _, x, _ = game_of("adam", unrolling=0)
    plain = MinimaxGAN(game.generator, game.discriminator, LATENT)
    assert torch.equal(gradient_of_generator(game, x), gradient_of_generator(plain, x))
    torch.manual_seed(11)
    value = game.generator_loss(x).loss
    torch.manual_seed(11)
    x_fake = game.generator(game.noise(8))
    cost = goodfellow.discriminator_loss(game.discriminator(x), game.discriminator(x_fake))
    assert torch.equal(value, -cost)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {}),
        ("gan adam", {}),
        ("adam", {"conditional": True}),
        ("sgd with everything", {"regularizers": [R1(0.5)]}),
        ("adam", {"regularizers": [R2(0.5)], "real_target": 0.8}),
        ("sgd", {"regularizers": [GradientPenalty(0.5)]}),
    ],
)
def test_gradient_equals_central_finite_differences(name, options):
    game, _, x, given = game_of(name, unrolling=5, **options)

    def value():
        torch.manual_seed(11)
        return game.generator_loss(x, *given).loss.detach()

    gradient = gradient_of_generator(game, x, given)
    expected = finite_differences(game, value)
    assert float((gradient - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("name", ["sgd with everything", "adam"])
def test_gradient_of_five_real_steps(name):
    """Finite differences of -L_D after torch's own steps: nothing of the family's look ahead."""
    game, optimizer, x, _ = game_of(name, unrolling=5)

    def value():
        torch.manual_seed(11)
        x_fake = game.generator(game.noise(8)).detach()
        d, _ = real_steps(game, optimizer, x, x_fake, (), 5)
        return -goodfellow.discriminator_loss(d(x), d(x_fake)).detach()

    gradient = gradient_of_generator(game, x)
    expected = finite_differences(game, value)
    assert float((gradient - expected).norm() / expected.norm()) < 1e-5
    game.unrolling = 0
    plain = gradient_of_generator(game, x)
    assert float((plain - expected).norm() / expected.norm()) > 1e-2


def test_dead_units_leave_no_nan():
    discriminator = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        discriminator[0].bias.copy_(torch.tensor([0.0, 0.0, -100.0, -100.0]))
    game, _, x, _ = game_of("gan adam", discriminator=discriminator, moments=0)
    assert gradient_of_generator(game, x).isfinite().all()
