"""Who moves when, and what a step is."""

import math

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from support import LATENT, Repeated, Rows, mlp_game, points, trainer
from torch import nn

from gan_lightning.families import MinimaxGAN, NonSaturatingGAN


class Watch(Callback):
    """Records real batches, and which player's parameters each call has moved."""

    def __init__(self):
        self.batches, self.moved, self.stepped = [], [], []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.batches.append(batch.clone())
        self.before = {k: v.clone() for k, v in module.state_dict().items()}

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        after = module.state_dict()
        changed = {k.split(".")[0] for k, v in self.before.items() if not torch.equal(v, after[k])}
        self.moved.append(changed)
        self.stepped.append(module.generator_stepped)


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize(("k", "epochs", "batches"), [(1, 2, 5), (3, 2, 11), (5, 3, 11)])
def test_generator_moves_after_every_kth_batch_across_epochs(updates, k, epochs, batches):
    watch = Watch()
    game = mlp_game(NonSaturatingGAN, discriminator_steps=k, updates=updates)
    t = trainer(max_epochs=epochs, callbacks=[watch])
    t.fit(game, datamodule=points(batches=batches))
    total = epochs * batches
    assert game.discriminator_updates == total == len(watch.batches)
    assert t.global_step == total // k
    for i, (moved, stepped) in enumerate(zip(watch.moved, watch.stepped, strict=True)):
        due = (i + 1) % k == 0
        assert stepped is due
        assert moved == (
            {"discriminator", "generator", "generator_ema"} if due else {"discriminator"}
        )
    for epoch in range(epochs):  # every sample at most once an epoch
        rows = torch.cat(watch.batches[epoch * batches : (epoch + 1) * batches])
        assert len(torch.unique(rows, dim=0)) == len(rows)


@pytest.mark.parametrize(
    ("k", "limits", "steps", "updates"),
    [
        (1, {"max_steps": 25}, 25, 25),
        (5, {"max_steps": 7}, 7, 35),
        (5, {"max_epochs": 3}, 6, 33),
        (5, {"max_steps": 4, "max_epochs": -1}, 4, 20),
        (5, {"max_steps": 100, "max_epochs": 2}, 4, 22),
    ],
)
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_is_a_generator_update(tmp_path, k, limits, steps, updates, micro_batches):
    rows = Rows()
    saved = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1)
    game = mlp_game(NonSaturatingGAN, discriminator_steps=k, micro_batches=micro_batches)
    t = trainer(log_every_n_steps=2, logger=[rows], callbacks=[saved], **limits)
    with pytest.warns(UserWarning, match="pre-optimization") if steps >= 3 else _nothing():
        t.fit(game, datamodule=points())
    assert (t.global_step, game.discriminator_updates) == (steps, updates)
    assert game.images_seen == updates * 8
    assert [s for s, _ in rows.rows] == list(range(2, steps + 1, 2))
    names = sorted(int(p.stem.split("step=")[1]) for p in tmp_path.glob("*.ckpt"))
    assert names == list(range(3, steps + 1, 3))


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_every_row_has_the_same_names_and_true_values():
    rows = Rows()
    game = mlp_game(NonSaturatingGAN, discriminator_steps=2)
    t = trainer(max_steps=3, log_every_n_steps=1, logger=[rows])
    t.fit(game, datamodule=points())
    expected = {
        "images_seen",
        "loss/discriminator",
        "loss/generator",
        "logits/real",
        "logits/fake",
        "sign/real",
        "sign/fake",
        "grad_norm/discriminator",
        "grad_norm/generator",
    }
    assert [set(row) for _, row in rows.rows] == [expected] * 3
    assert [row["images_seen"] for _, row in rows.rows] == [16.0, 32.0, 48.0]
    assert {k: float(v) for k, v in t.callback_metrics.items()} == rows.rows[-1][1]


def test_logged_values_are_those_of_the_discriminators_turn():
    """On a batch known by heart: recompute the row from the weights before the step."""
    x = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(8, 2)
    game = mlp_game(MinimaxGAN)
    before_d = {k: v.clone() for k, v in game.discriminator.state_dict().items()}
    z = _noise_of(game)
    x_fake = game.generator(z).detach()
    d_real, d_fake = game.discriminator(x).detach(), game.discriminator(x_fake).detach()
    loss = (
        torch.nn.functional.softplus(-d_real).mean() + torch.nn.functional.softplus(d_fake).mean()
    )
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(game, Repeated(x))
    ((_, row),) = rows.rows
    assert row["logits/real"] == pytest.approx(float(d_real.mean()), abs=1e-12)
    assert row["logits/fake"] == pytest.approx(float(d_fake.mean()), abs=1e-12)
    assert row["loss/discriminator"] == pytest.approx(float(loss), abs=1e-12)
    assert row["sign/real"] == pytest.approx(float(d_real.sign().mean()), abs=1e-12)
    assert any(not torch.equal(v, before_d[k]) for k, v in game.discriminator.state_dict().items())


def _noise_of(game):
    """The discriminator's z of update 0, drawn from the public rule."""
    from gan_lightning.families._loop.draws import Draws, Purpose

    draws = Draws(0, torch.device("cpu"), torch.float64)
    draws.begin(Purpose.DISCRIMINATOR, 0)
    return draws.normal(8, LATENT)


def test_frozen_layers_stay_frozen_and_others_come_back():
    game = mlp_game(NonSaturatingGAN)
    frozen = [next(game.generator.parameters()), next(game.discriminator.parameters())]
    values = [p.detach().clone() for p in frozen]
    for p in frozen:
        p.requires_grad_(False)
    flags = {n: p.requires_grad for n, p in game.named_parameters()}
    trainer(max_steps=3).fit(game, datamodule=points())
    assert {n: p.requires_grad for n, p in game.named_parameters()} == flags
    for p, value in zip(frozen, values, strict=True):
        torch.testing.assert_close(p, value, rtol=0, atol=0)
        assert p.grad is None


class Probe(NonSaturatingGAN.__mro__[1]):
    """Looks at what a family sees in its turns."""

    def generator_cost(self, d_fake):
        assert not any(p.requires_grad for p in self.discriminator.parameters())
        assert all(p.requires_grad for p in self.generator.parameters())
        assert d_fake.requires_grad
        self.seen_generator = True
        return torch.nn.functional.softplus(-d_fake).mean(), {}

    def discriminator_loss(self, x):
        objective = super().discriminator_loss(x)
        assert not any(p.requires_grad for p in self.generator.parameters())
        assert not objective.x_fake.requires_grad
        self.seen_discriminator = True
        return objective


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_the_waiting_player_takes_no_gradient_and_fakes_have_no_graph(updates):
    game = mlp_game(Probe, updates=updates)
    trainer(max_steps=2).fit(game, datamodule=points())
    assert game.seen_generator
    assert game.seen_discriminator


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_steps_equal_a_loop_written_by_hand(updates):
    """Three steps with k = 2 against plain PyTorch, to the last bit."""
    k, x = 2, torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(8, 2)
    game = mlp_game(NonSaturatingGAN, discriminator_steps=k, updates=updates)
    plain = mlp_game(NonSaturatingGAN)
    plain.load_state_dict(game.state_dict())
    trainer(max_steps=3).fit(game, Repeated(x))

    from gan_lightning.families._loop.draws import Draws, Purpose

    draws = Draws(0, torch.device("cpu"), torch.float64)
    g, d = plain.generator, plain.discriminator
    opt_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    opt_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    softplus = torch.nn.functional.softplus

    def z(purpose, update):
        draws.begin(purpose, update)
        return draws.normal(8, LATENT)

    for update in range(3 * k):
        due = (update + 1) % k == 0
        together = due and updates == "simultaneous"
        d_noise = z(Purpose.BOTH if together else Purpose.DISCRIMINATOR, update)
        opt_d.zero_grad()
        (softplus(-d(x)).mean() + softplus(d(g(d_noise).detach())).mean()).backward()
        d_gradients = [p.grad.clone() for p in d.parameters()]
        if not together:
            opt_d.step()
        if due:
            g_noise = z(Purpose.BOTH if together else Purpose.GENERATOR, update)
            opt_g.zero_grad()
            softplus(-d(g(g_noise))).mean().backward()
            opt_g.step()
        if together:
            for p, gradient in zip(d.parameters(), d_gradients, strict=True):
                p.grad = gradient
            opt_d.step()
    for network in ("generator", "discriminator"):
        for p, q in zip(
            getattr(game, network).parameters(), getattr(plain, network).parameters(), strict=True
        ):
            torch.testing.assert_close(p, q, rtol=0, atol=0)


def test_micro_batches_equal_the_whole_batch():
    a = mlp_game(NonSaturatingGAN, ema_halflife=50.0)
    b = mlp_game(NonSaturatingGAN, ema_halflife=50.0, micro_batches=3)  # 8 = 3 + 3 + 2
    for game in (a, b):
        trainer(max_steps=5).fit(game, datamodule=points())
    for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_clipping_bounds_the_norm_of_each_player_apart():
    def sgd(params):
        return torch.optim.SGD(params, lr=1.0)

    x = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(8, 2)
    game = mlp_game(
        NonSaturatingGAN,
        clip_discriminator=0.01,
        clip_generator=0.002,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
    )
    before = {n: p.detach().clone() for n, p in game.named_parameters()}
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(game, Repeated(x))
    for name, bound in (("discriminator", 0.01), ("generator", 0.002)):
        moved = torch.cat(
            [
                (p.detach() - before[f"{name}.{n}"]).flatten()
                for n, p in getattr(game, name).named_parameters()
            ]
        )
        assert float(moved.norm()) == pytest.approx(bound, rel=1e-4)
        assert rows.rows[0][1][f"grad_norm/{name}"] > bound  # logged before clipping


def test_schedules_step_in_their_players_updates():
    def scheduler(optimizer):
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1.0 / (1 + n))

    game = mlp_game(
        NonSaturatingGAN,
        discriminator_steps=3,
        generator_scheduler=scheduler,
        discriminator_scheduler=scheduler,
    )
    t = trainer(max_steps=4)
    t.fit(game, datamodule=points())
    d, g = t.optimizers
    assert d.param_groups[0]["lr"] == pytest.approx(2e-4 / 13, rel=1e-12)
    assert g.param_groups[0]["lr"] == pytest.approx(2e-4 / 5, rel=1e-12)


def test_averaged_generator_follows_its_closed_form():
    """EMA after n steps is a weighted sum of all iterates; buffers are copied."""

    class Record(Callback):
        iterates: list[torch.Tensor]

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if module.generator_stepped:
                self.iterates.append(next(module.generator.parameters()).detach().clone())

    record = Record()
    game = mlp_game(NonSaturatingGAN, discriminator_steps=2, ema_halflife=40.0)
    game.generator.register_buffer("seen", torch.zeros((), dtype=torch.float64))
    game.generator_ema.register_buffer("seen", torch.zeros((), dtype=torch.float64))
    game.generator.seen.fill_(7.0)
    record.iterates = [next(game.generator.parameters()).detach().clone()]
    trainer(max_steps=60, callbacks=[record]).fit(game, datamodule=points())
    n, images = 60, 16  # two batches of 8 a step
    betas = [0.5 ** (images / min(40.0, 0.05 * images * (i + 1))) for i in range(n)]
    weights = [(1 - betas[i]) * math.prod(betas[i + 1 :]) for i in range(n)]
    expected = math.prod(betas) * record.iterates[0]
    expected = expected + sum(w * p for w, p in zip(weights, record.iterates[1:], strict=True))
    average = next(game.generator_ema.parameters())
    torch.testing.assert_close(average, expected, rtol=0, atol=1e-12)
    assert not torch.equal(average, record.iterates[-1])
    assert float(game.generator_ema.seen) == 7.0
    assert not any(p.requires_grad for p in game.generator_ema.parameters())


def test_simultaneous_and_alternating_differ():
    a, b = mlp_game(NonSaturatingGAN), mlp_game(NonSaturatingGAN, updates="simultaneous")
    for game in (a, b):
        trainer(max_steps=2).fit(game, datamodule=points())
    assert not torch.equal(next(a.generator.parameters()), next(b.generator.parameters()))


def test_reals_and_fakes_never_share_a_batch_norm():
    """The running mean after one D turn is that of two batches, not of one joint batch."""
    torch.manual_seed(0)
    generator = nn.Linear(LATENT, 2).double()
    norm = nn.BatchNorm1d(2, momentum=0.5).double()
    discriminator = nn.Sequential(norm, nn.Linear(2, 1).double())
    game = NonSaturatingGAN(generator, discriminator, LATENT, discriminator_steps=2)
    x = 5 + torch.arange(16, dtype=torch.float64).reshape(8, 2)
    fakes = generator(_noise_of(game)).detach()

    class Stop(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            self.mean = norm.running_mean.clone()
            trainer.should_stop = True

    stop = Stop()
    trainer(max_steps=1, callbacks=[stop], min_epochs=0).fit(game, Repeated(x))
    expected = 0.5 * (0.5 * x.mean(0)) + 0.5 * fakes.mean(0)
    torch.testing.assert_close(stop.mean, expected, rtol=0, atol=1e-12)


def test_lightning_counts_what_we_think_it_counts():
    """The loop leans on this: only LightningOptimizer.step() moves global_step."""
    game = mlp_game(NonSaturatingGAN, discriminator_steps=5)
    t = trainer(max_steps=7)
    t.fit(game, datamodule=points())
    progress = t.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    assert (progress.total.completed, t.global_step) == (7, 7)
    assert isinstance(game, lightning.LightningModule)
