"""CatGAN against numpy, with and without labels."""

import math

import numpy as np
import pytest
import torch
from support import Repeated, Rows, points, trainer

from gan_lightning import networks
from gan_lightning.families.catgan import CatGAN
from gan_lightning.regularizers import R1

CLASSES, LATENT = 3, 4
LABELS = torch.tensor([0, -1, 2, -1, -1, 1, 1])


def game(outputs=CLASSES, **kwargs):
    torch.manual_seed(0)
    generator = networks.MLPGenerator((2,), LATENT, width=8, depth=2).double()
    discriminator = networks.MLPDiscriminator((2,), width=8, depth=2, outputs=outputs).double()
    with torch.no_grad():  # answers of some confidence, which the initial ones lack
        discriminator.logit.weight.mul_(8)
    return CatGAN(generator, discriminator, LATENT, **({"num_classes": CLASSES} | kwargs))


X = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def answers(model, x):
    """p(y | x) as numpy."""
    logits = model.discriminator(x).detach().numpy()
    exp = np.exp(logits)
    return exp / exp.sum(1, keepdims=True)


def entropy(p):
    return -sum(v * np.log(v) for v in p)


@pytest.mark.parametrize(
    "labels", [LABELS, torch.full((7,), -1), torch.arange(7) % CLASSES], ids=["some", "no", "all"]
)
def test_discriminator_loss(labels):
    model = game(class_weight=0.4)
    objective = model.discriminator_loss(X, labels)
    p, p_fake = answers(model, X), answers(model, objective.x_fake)
    unlabelled = [row for row, y in zip(p, labels, strict=True) if y < 0] or list(p)
    marginal = entropy(np.mean(unlabelled, axis=0))
    real = np.mean([entropy(row) for row in unlabelled])
    fake = np.mean([entropy(row) for row in p_fake])
    given = [-np.log(row[y]) for row, y in zip(p, labels, strict=True) if y >= 0]
    expected = -marginal + real - fake + (0.4 * np.mean(given) if given else 0)
    assert objective.loss.item() == pytest.approx(expected, abs=1e-12)
    assert objective.logs["entropy/marginal"].item() == pytest.approx(marginal, abs=1e-12)
    assert objective.logs["entropy/real"].item() == pytest.approx(real, abs=1e-12)
    assert objective.logs["entropy/fake"].item() == pytest.approx(fake, abs=1e-12)


def test_generator_loss():
    model = game()
    objective = model.generator_loss(X, LABELS)
    p = answers(model, objective.x_fake)
    marginal = entropy(p.mean(0))
    expected = -marginal + np.mean([entropy(row) for row in p])
    assert objective.loss.item() == pytest.approx(expected, abs=1e-12)
    assert objective.logs["entropy/marginal_fake"].item() == pytest.approx(marginal, abs=1e-12)


def test_gradients_by_finite_differences():
    model = game()
    weight = model.discriminator.logit.weight

    def loss(value):
        torch.manual_seed(3)
        with torch.no_grad():
            weight.copy_(value)
        return model.discriminator_loss(X, LABELS).loss

    start = weight.detach().clone()
    (gradient,) = torch.autograd.grad(loss(start), weight)
    step = torch.randn(start.shape, dtype=torch.float64)
    slope = (loss(start + 1e-6 * step) - loss(start - 1e-6 * step)).item() / 2e-6
    assert slope == pytest.approx((gradient * step).sum().item(), rel=1e-6)


def test_logit_is_sureness():
    model = game()
    expected = [math.log(3) / 2 - entropy(row) for row in answers(model, X)]
    torch.testing.assert_close(model.judge(X), torch.tensor(expected, dtype=torch.float64))


def test_the_best_a_discriminator_can_do():
    """Certain of every real sample, all categories alike, and undecided on fakes: -2 log n."""
    n = 4

    class Oracle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(50.0, dtype=torch.float64))

        def forward(self, x):
            return self.scale * x

    class Zeros(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = torch.nn.Parameter(torch.zeros(n, dtype=torch.float64))

        def forward(self, z):
            return self.shift.expand(len(z), n)

    model = CatGAN(Zeros(), Oracle(), LATENT, labelled=False, categories=n)
    x = torch.eye(n, dtype=torch.float64).repeat(2, 1)
    loss = model.discriminator_loss(x).loss.item()
    assert loss == pytest.approx(-2 * math.log(n), abs=1e-12)
    assert model.generator_loss(x).loss.item() == pytest.approx(0, abs=1e-12)


def test_without_labels_on_a_set_that_has_none():
    model = game(outputs=5, labelled=False, categories=5, num_classes=None)
    assert not model.uses_labels
    rows = Rows()
    trainer(max_steps=2, logger=[rows]).fit(model, datamodule=points())
    assert 0 < rows.rows[0][1]["entropy/marginal"] <= math.log(5) + 1e-9
    assert "loss/supervised" not in rows.rows[0][1]
    assert model.classify(X).shape == (7, 5)
    torch.testing.assert_close(model.classify(X).sum(1), torch.ones(7, dtype=torch.float64))


def test_labels_are_dropped_by_a_game_without_them():
    model = game(labelled=False)
    trainer(max_steps=1).fit(model, Repeated((X, LABELS), 3), Repeated((X, LABELS), 2))
    assert model.discriminator_updates == 1


def test_a_step_with_labels_and_a_regularizer():
    model = game(regularizers=[R1(0.1)])
    before = {n: p.clone() for n, p in model.named_parameters() if "ema" not in n}
    rows = Rows()
    fit = trainer(max_steps=2, logger=[rows])
    fit.fit(model, Repeated((X, LABELS), 2), Repeated((X, LABELS), 2))
    assert all(not torch.equal(v, model.get_parameter(n)) for n, v in before.items())
    assert rows.rows[0][1]["penalty/r1"] > 0
    p = answers(model, X)
    labelled = LABELS >= 0
    share = (p.argmax(1) == LABELS.numpy())[labelled.numpy()].mean()
    assert fit.callback_metrics["accuracy/validation"].item() == pytest.approx(share)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"num_classes": None}, "`num_classes` must be given for CatGAN, whose .* but got None"),
        ({"labelled": False, "num_classes": None}, "`num_classes` must be given for CatGAN"),
        ({"categories": 5}, "`categories` must be `num_classes` = 3 with labels, .* got 5"),
        (
            {"categories": 0, "labelled": False},
            "`categories` must be a positive integer but got 0",
        ),
        ({"class_weight": -1.0}, "`class_weight` must be a finite number of at least 0"),
        ({"micro_batches": 2}, "`micro_batches` must be 1 for CatGAN, because its costs are"),
        ({"conditional": True}, "`conditional` must be False for CatGAN, because categories are"),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        game(**kwargs)


def test_a_discriminator_of_other_outputs():
    with pytest.raises(ValueError, match=r"one logit a class for CatGAN, \(N, n\) = \(2, 3\), but"):
        trainer(max_steps=1).fit(game(outputs=4), Repeated((X, LABELS)))
