"""Games on a ring that go well, or break in ways that people meet; truth is in the set-up."""

import math

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.callbacks.monitors import FailureMonitors
from gan_lightning.data import GaussianRing
from gan_lightning.families import LSGAN, NonSaturatingGAN
from gan_lightning.optim import GANAdam

LATENT, EVERY = 4, 10
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


class Forgetful(nn.Module):
    """A generator with a bug: it takes no notice of z."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, z):
        return self.network(torch.zeros_like(z))


def adam(rate):
    """Of one player."""
    return lambda params: GANAdam(params, lr=rate, beta2=0.99)


def play(
    family,
    rates=(1e-3, 1e-3),
    bug=lambda network: network,
    steps=120,
    every=EVERY,
    seed=0,
    std=0.05,
    before=(),
):
    """The monitors after so many steps, and the module."""
    torch.manual_seed(seed)
    module = family(
        bug(networks.MLPGenerator((2,), LATENT, width=64, depth=2)),
        networks.MLPDiscriminator((2,), width=64, depth=2),
        LATENT,
        generator_optimizer=adam(rates[0]),
        discriminator_optimizer=adam(rates[1]),
    )
    monitors = FailureMonitors(every_n_steps=every)
    data = GaussianRing(std=std, batch_size=128, samples=20_000)
    trainer(max_steps=steps, callbacks=[*before, monitors]).fit(module, datamodule=data)
    return monitors, module


def kinds(monitors):
    return [verdict.kind for verdict in monitors.verdicts]


def first_bad(module):
    """By a loop over all numbers."""
    for name, tensor in module.state_dict().items():
        if not all(map(math.isfinite, tensor.flatten().tolist())):
            return name
    return None


def test_a_generator_that_forgets_z_has_collapsed():
    monitors, _ = play(NonSaturatingGAN, bug=Forgetful)
    (verdict,) = (v for v in monitors.verdicts if v.kind == "mode collapse")
    young = monitors.driver.history.young
    patience = next(m.patience for m in monitors.monitors if type(m).__name__ == verdict.monitor)
    assert verdict.since == EVERY * (young + 1)
    assert verdict.step == EVERY * (young + patience)
    assert verdict.evidence[0].signal == "pairwise"
    assert verdict.evidence[0].value == pytest.approx(0.0, abs=1e-6)


def test_a_discriminator_that_does_not_learn_is_beaten():
    monitors, _ = play(NonSaturatingGAN, rates=(1e-3, 0.0))
    assert kinds(monitors) == ["generator wins"]
    assert monitors.verdicts[0].evidence[0].signal == "right"


class Costs(Callback):
    """G's cost at every update."""

    def __init__(self):
        self.curve = []

    def on_train_batch_end(self, trainer, module, *args):
        self.curve.append(float(module.losses["generator"]))


@pytest.mark.parametrize("rates", [(1e-3, 1e30), (1e30, 1e-3)])
def test_a_learning_rate_that_ends_in_nan(rates):
    costs = Costs()
    monitors, module = play(LSGAN, rates, steps=EVERY, before=[costs])
    (verdict,) = monitors.verdicts
    assert (verdict.kind, verdict.since, verdict.step) == ("divergence", EVERY, EVERY)
    good = next(i for i, cost in enumerate(costs.curve) if not math.isfinite(cost))
    assert verdict.note == (
        f"Last step with a finite cost: {good}. "
        f"First tensor that is not finite: `{first_bad(module)}`"
    )


class Break(Callback):
    """Puts NaN into one weight of D after some update."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step == self.step:
            with torch.no_grad():
                list(module.discriminator.parameters())[-1].view(-1)[0] = math.nan


@pytest.mark.parametrize(
    ("step", "player", "costs"),
    [(17, "generator", "Last step with a finite cost: 17. "), (20, "discriminator", "")],
)
def test_a_weight_that_turns_nan_between_two_looks_and_at_one(step, player, costs):
    """By the next look it has spread to the generator, which comes first."""
    monitors, module = play(LSGAN, steps=20, before=[Break(step)])
    (verdict,) = monitors.verdicts
    assert (verdict.kind, verdict.since, verdict.step) == ("divergence", 20, 20)
    bad = first_bad(module)
    assert bad.startswith(f"{player}.")
    assert verdict.note == f"{costs}First tensor that is not finite: `{bad}`"


def reached(module, ring):
    """Share of samples within four standard deviations of a mode, and how many modes have some."""
    distances = torch.cdist(module.sample(1000), ring.centres.float())
    near = distances.min(1).values < 4 * ring.std
    return float(near.float().mean()), len(distances[near].argmin(1).unique())


def test_nothing_is_said_of_a_healthy_game():
    monitors, module = play(LSGAN, steps=440, every=40, std=0.2)
    assert reached(module, GaussianRing(std=0.2)) == (pytest.approx(1.0, abs=0.08), 8)
    history = monitors.driver.history
    assert len(history) >= history.young + 6  # long enough for every rule
    assert kinds(monitors) == []
