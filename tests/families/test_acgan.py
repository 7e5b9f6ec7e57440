"""ACGAN: its costs against a naive reference, who owns the classifier, and labels end to end."""

import pytest
import torch
from support import LATENT, Repeated, Rows, trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.families.acgan import ACGAN
from gan_lightning.regularizers import R1

CLASSES = 3


class LabelledGenerator(nn.Module):
    """Points from z and a learned vector of the class; keeps the labels it was given."""

    def __init__(self):
        super().__init__()
        self.z = nn.Linear(LATENT, 2)
        self.label = nn.Embedding(CLASSES, 2)
        self.seen = []

    def forward(self, z, labels):
        self.seen.append(labels.clone())
        return self.z(z) + self.label(labels)


def game(discriminator=None, **kwargs):
    torch.manual_seed(0)
    if discriminator is None:
        discriminator = networks.MLPDiscriminator((2,), width=8, depth=2)
    kwargs = {"num_classes": CLASSES} | kwargs
    return ACGAN(LabelledGenerator().double(), discriminator.double(), LATENT, **kwargs)


def batch(n=6):
    labels = torch.arange(n) % CLASSES
    return torch.randn(n, 2, dtype=torch.float64), labels


def naive(model, x, labels):
    """Log-likelihoods of (real or not, class) by probabilities, one sample at a time."""
    real, classes = [], []
    for row, y in zip(x, labels, strict=True):
        features = model.discriminator.features(row[None])
        real.append(torch.sigmoid(model.discriminator(row[None]))[0])
        classes.append(torch.softmax(model.classifier(features), 1)[0, y])
    return torch.stack(real), torch.stack(classes)


@pytest.mark.parametrize("weight", [1.0, 0.3, 0.0])
def test_costs(weight):
    model = game(class_weight=weight)
    x, labels = batch()
    objective = model.discriminator_loss(x, labels)
    fake_labels = model.generator.seen[-1]
    real, c_real = naive(model, x, labels)
    fake, c_fake = naive(model, objective.x_fake, fake_labels)
    expected = -real.log().mean() - (1 - fake).log().mean()
    expected = expected - weight * (c_real.log().mean() + c_fake.log().mean())
    torch.testing.assert_close(objective.loss, expected, rtol=0, atol=1e-12)
    objective = model.generator_loss(x, labels)
    fake, c_fake = naive(model, objective.x_fake, model.generator.seen[-1])
    expected = -fake.log().mean() - weight * c_fake.log().mean()
    torch.testing.assert_close(objective.loss, expected, rtol=0, atol=1e-12)


def test_the_labels_of_fakes_are_drawn_uniformly_whatever_the_batch_holds():
    model = game()
    x = torch.zeros(6000, 2, dtype=torch.float64)
    for cost in (model.discriminator_loss, model.generator_loss):
        cost(x, torch.zeros(6000, dtype=torch.int64))
        counts = model.generator.seen[-1].bincount(minlength=CLASSES)
        assert (counts - 2000).abs().max() < 150  # four standard deviations


def test_accuracies():
    model = game()
    x, labels = batch(30)
    logs = model.discriminator_loss(x, labels).logs
    answers = model.classifier(model.discriminator.features(x)).argmax(1)
    assert logs["accuracy/real"].item() == (answers == labels).double().mean().item()
    assert 0 <= logs["accuracy/fake"].item() <= 1


def test_the_classifier_moves_with_d_and_waits_with_it():
    model = game()
    before = {name: p.clone() for name, p in model.named_parameters()}
    after_d = {}

    def moved():
        after_d.update((name, p.clone()) for name, p in model.named_parameters())

    model.on_discriminator_moved = moved
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(model, Repeated(batch()))
    del model.on_discriminator_moved
    d = [n for n in before if n.startswith(("discriminator.", "classifier."))]
    g = [n for n in before if n.startswith("generator.")]
    assert all(not torch.equal(before[n], after_d[n]) for n in d)
    assert all(torch.equal(before[n], after_d[n]) for n in g)
    after = dict(model.named_parameters())
    assert all(torch.equal(after_d[n], after[n]) for n in d)
    assert all(not torch.equal(after_d[n], after[n]) for n in g)
    assert {"accuracy/real", "accuracy/fake"} <= set(rows.rows[0][1])


def test_regularizers_see_x_alone():
    model = game(regularizers=[R1(0.5)])
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(model, Repeated(batch()))
    assert rows.rows[0][1]["penalty/r1"] > 0


def test_samples_of_a_class():
    model = game()
    assert model.sample(5, labels=2, seed=0).shape == (5, 2)
    assert model.generator_ema.seen[-1].tolist() == [2] * 5


def test_d_is_passed_through_once_for_logit_and_features():
    calls = []

    class Counting(nn.Module):
        feature_dim = 4

        def __init__(self):
            super().__init__()
            self.hidden, self.logit = nn.Linear(2, 4), nn.Linear(4, 1)

        def features(self, x):
            calls.append(len(x))
            return self.hidden(x).tanh()

        def from_features(self, features):
            return self.logit(features)

        def forward(self, x):
            return self.from_features(self.features(x))

    model = game(Counting())
    model.discriminator_loss(*batch())
    assert calls == [6, 6]
    model.generator_loss(*batch())
    assert calls == [6, 6, 6]


def test_refusals():
    with pytest.raises(ValueError, match="`num_classes` must be given for a conditional ACGAN but"):
        game(num_classes=None)
    with pytest.raises(ValueError, match=r"`class_weight` must be a finite number .* got -1"):
        game(class_weight=-1.0)
    with pytest.raises(ValueError, match=r"`discriminator` must have `features\(x\)` .* for ACGAN"):
        game(nn.Linear(2, 1))
    with pytest.raises(ValueError, match=r"`labels` must lie in 0, ..., 2 .* but got 3"):
        trainer(max_steps=1).fit(game(), Repeated((batch()[0], torch.full((6,), 3))))
    with pytest.raises(ValueError, match=r"`batch` must be \(x, labels\) for ACGAN"):
        trainer(max_steps=1).fit(game(), Repeated(batch()[0]))
