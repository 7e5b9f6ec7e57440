"""A look at the players sees what is there and changes nothing."""

import copy
import math

import pytest
import torch
from families.cases import CASES
from lightning.pytorch.callbacks import Callback
from support import LATENT, differences, mlp_game, trainer
from torch import nn

from gan_lightning.callbacks.monitors.observation import judged, observe, sampled
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.families import BiGAN, NonSaturatingGAN
from gan_lightning.networks import mlp, packed


class Looks(Callback):
    """Looks after every training step."""

    def __init__(self, number=16):
        self.observer = Observer(1, number)
        self.seen = []

    def on_train_start(self, trainer, module):
        self.observer.start(trainer, module)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.observer.watch(trainer, module, batch)
        if self.observer.due(trainer, module):
            self.seen.append(self.observer.look(module))


def everything(module):
    """All that a look must leave as it is."""
    return {
        "state": copy.deepcopy(module.state_dict()),
        "modes": [(name, m.training) for name, m in module.named_modules()],
        "gradients": [(n, p.requires_grad, p.grad is None) for n, p in module.named_parameters()],
        "random": torch.get_rng_state(),
    }


def real_of(case, n=16):
    """Real samples of a case, and their labels."""
    batch = next(case.data(8, 11).real_chunks(n))
    return (batch, None) if isinstance(batch, torch.Tensor) else tuple(batch)


def look(module, real=None, n=16):
    labels = torch.arange(n) % module.num_classes if module.conditional else None
    return observe(module, module.latent(n, seed=0), labels, real or {}, {}, [])


@pytest.mark.parametrize("name", CASES)
def test_a_look_leaves_no_trace_and_has_a_logit_for_every_sample(name):
    case = CASES[name]
    module = case.make()
    before = everything(module)
    seen = look(module, {"real": real_of(case), "heldout": real_of(case, 10)})
    assert differences(before, everything(module)) == []
    assert seen.samples.shape == (16, *case.shape)
    m = module.samples_per_input
    shapes = {name: tuple(x.shape) for name, x in seen.logits.items()}
    assert shapes == {"fake": (16 // m,), "real": (16 // m,), "heldout": (10 // m,)}
    for x in (seen.samples, *seen.logits.values()):
        assert x.dtype == torch.float32
        assert x.isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_training_with_looks_is_training_without(name):
    states = []
    for callbacks in ([Looks()], []):
        module = CASES[name].make()
        run = trainer(max_steps=3, callbacks=callbacks)
        run.fit(module, datamodule=CASES[name].data(8, 11))
        states.append({"state": module.state_dict(), "random": torch.get_rng_state()})
        if callbacks:
            assert [o.step for o in callbacks[0].seen] == [1, 2, 3]
        torch.manual_seed(0)
    assert differences(*states) == []


def test_samples_are_those_of_the_trained_generator_in_evaluation_mode():
    module = CASES["dcgan"].make()
    z = module.latent(9, seed=3)
    with torch.no_grad():
        as_trained = module.generator(z)  # batch norm over these nine; moves the running means
        module.generator.eval()
        expected = module.generator(z)
        module.generator.train()
    found = sampled(module, z, None)
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=1e-6)
    assert not torch.allclose(found, as_trained.float(), atol=1e-3)


def test_chunks_give_what_one_pass_gives(monkeypatch):
    module = CASES["non-saturating, labels"].make()
    z, labels = module.latent(11, seed=0), torch.arange(11) % 3
    whole = sampled(module, z, labels)
    monkeypatch.setattr("gan_lightning.callbacks.monitors.observation._CHUNK", 4)
    torch.testing.assert_close(sampled(module, z, labels), whole, rtol=0, atol=1e-6)
    assert not torch.allclose(sampled(module, z, labels.roll(1)), whole, atol=1e-3)


class Normed(nn.Sequential):
    """A discriminator with batch norm and dropout."""

    def __init__(self):
        super().__init__(
            nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1)
        )


def normed_game(discriminator=None, **kwargs):
    torch.manual_seed(0)
    return NonSaturatingGAN(
        nn.Linear(LATENT, 2).double(), (discriminator or Normed()).double(), LATENT, **kwargs
    )


def test_batch_norm_sees_the_judged_samples_alone_and_keeps_its_buffers():
    module = normed_game()
    x = torch.randn(20, 2) + 5
    norm = module.discriminator[1]
    before = copy.deepcopy(norm.state_dict())
    found = judged(module, x, None)
    assert differences(before, norm.state_dict()) == []
    hidden = module.discriminator[0](x.double())
    by_hand = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + norm.eps).sqrt()
    expected = module.discriminator[4](by_hand.relu())[:, 0]  # and no dropout
    torch.testing.assert_close(found, expected.detach().float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("large", "m", "n", "parts"),
    [
        (True, 1, 200, [64, 64, 72]),
        (True, 1, 128, [64, 64]),
        (True, 1, 127, [127]),
        (True, 3, 200, [66, 66, 66]),
        (False, 1, 200, [200]),
    ],
)
def test_large_samples_are_judged_in_parts(monkeypatch, large, m, n, parts):
    """In whole packs, and with the same result where D has no batch norm."""
    if large:
        monkeypatch.setattr("gan_lightning.callbacks.monitors.observation._LARGE", 1)
    module = mlp_game(NonSaturatingGAN)
    if m > 1:
        network = packed.Packed(mlp((2 * m,), LATENT, width=16)[1].double(), m)
        module = NonSaturatingGAN(module.generator, network, LATENT)
    shown = []
    module.discriminator.register_forward_pre_hook(lambda _, given: shown.append(len(given[0])))
    x = torch.randn(n, 2)
    found = judged(module, x, None)
    assert shown == parts
    with torch.no_grad():
        whole = module.discriminator(x[: n // m * m].double()).reshape(-1).float()
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-6)


def test_frozen_and_synchronised_batch_norm_take_their_running_statistics():
    x = torch.randn(20, 2) + 5
    frozen = normed_game()
    frozen.discriminator[1].eval()
    synchronised = normed_game(nn.SyncBatchNorm.convert_sync_batchnorm(Normed()))
    assert isinstance(synchronised.discriminator[1], nn.SyncBatchNorm)
    for module in (frozen, synchronised):
        discriminator = copy.deepcopy(module.discriminator).eval()
        expected = discriminator(x.double())[:, 0].detach().float()
        torch.testing.assert_close(judged(module, x, None), expected, rtol=0, atol=1e-6)
    assert synchronised.discriminator[1].training
    assert not frozen.discriminator[1].training


@pytest.mark.parametrize(("n", "logits"), [(1, 0), (2, 1), (3, 1), (4, 2)])
def test_a_pack_that_is_not_full_is_dropped(n, logits):
    packs = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    module = normed_game(packed.Packed(packs, 2))
    assert judged(module, torch.randn(n, 2), None).shape == (logits,)


def test_spectral_norm_does_not_go_on():
    module = CASES["hinge, projection"].make()
    vectors = {n: b.clone() for n, b in module.discriminator.named_buffers() if "_u" in n}
    assert vectors
    look(module, {"real": real_of(CASES["hinge, projection"])})
    assert all(
        torch.equal(b, vectors[n]) for n, b in module.discriminator.named_buffers() if n in vectors
    )
    with torch.no_grad():
        module.judge(*module.inputs(torch.zeros(4, 2).double(), torch.zeros(4, dtype=torch.long)))
    changed = [
        not torch.equal(b, vectors[n])
        for n, b in module.discriminator.named_buffers()
        if n in vectors
    ]
    assert any(changed)  # in training mode a pass does move them


class Noisy(nn.Module):
    """A generator that draws noise of its own, in evaluation mode too."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(LATENT, 2)

    def forward(self, z):
        return self.linear(z) + torch.randn(len(z), 2)


def test_a_network_that_always_draws_gives_the_same_samples_at_every_look():
    torch.manual_seed(0)
    module = NonSaturatingGAN(Noisy(), nn.Linear(2, 1), LATENT)
    state = torch.get_rng_state()
    first = look(module).samples
    assert torch.equal(torch.get_rng_state(), state)
    torch.randn(3)
    assert torch.equal(look(module).samples, first)


def test_the_encoder_of_a_bigan_is_left_alone():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(2, LATENT), nn.BatchNorm1d(LATENT), nn.Dropout(0.5))
    generator, discriminator = CASES["bigan"].networks()[:2]
    module = BiGAN(generator, discriminator, LATENT, encoder=encoder)
    x = torch.randn(16, 2)
    before = everything(module)
    seen = look(module, {"real": (x, None)})
    assert differences(before, everything(module)) == []
    assert seen.logits["real"].shape == (16,)


@pytest.mark.parametrize("name", ["dcgan", "cgan", "infogan", "ali", "catgan", "lapgan"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(name, dtype):
    case = CASES[name]
    seen = look(case.make(dtype), {"real": real_of(case)})
    exact = look(case.make(), {"real": real_of(case)})
    atol = 1e-4 if dtype is torch.float32 else 0.1
    torch.testing.assert_close(seen.samples, exact.samples, rtol=0, atol=atol)
    assert seen.weights == pytest.approx(exact.weights, rel=atol)


def largest(module, modules):
    return max(float(p.detach().abs().max()) for m in modules for p in m.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_weights_are_the_largest_of_each_player(dtype):
    module = mlp_game(NonSaturatingGAN, dtype=dtype)
    with torch.no_grad():
        list(module.generator.parameters())[1][0] = -7.0
    module.discriminator.requires_grad_(False)
    expected = {
        "generator": 7.0,
        "discriminator": largest(module, module.discriminator_modules()),
    }
    assert look(module).weights == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("index", [0, 2, -1])
def test_a_weight_that_is_nan_is_seen_wherever_it_is(index):
    module = mlp_game(NonSaturatingGAN)
    weight = list(module.discriminator.parameters())[index]
    with torch.no_grad():
        weight.view(-1)[0] = math.nan
    weights = look(module).weights
    assert math.isnan(weights["discriminator"])
    assert weights["generator"] == pytest.approx(largest(module, [module.generator]))
    with torch.no_grad():
        weight.view(-1)[0] = math.inf
    assert look(module).weights["discriminator"] == math.inf


class Parameterless(nn.Module):
    """A discriminator that has nothing to learn."""

    def forward(self, x):
        return x.sum(1)


def test_a_player_without_weights_has_no_largest_one():
    module = NonSaturatingGAN(nn.Linear(LATENT, 2), Parameterless(), LATENT)
    assert look(module).weights.keys() == {"generator"}


def test_costs_are_one_a_update_and_empty_where_there_are_none():
    module = mlp_game(NonSaturatingGAN)
    losses = {"discriminator": [torch.tensor(float(i)) for i in range(5)], "generator": []}
    seen = observe(module, module.latent(8, seed=0), None, {}, losses, [{"a/b": 1.0}])
    assert {name: x.tolist() for name, x in seen.losses.items()} == {
        "discriminator": [0.0, 1.0, 2.0, 3.0, 4.0]
    }
    assert list(seen.rows) == [{"a/b": 1.0}]
