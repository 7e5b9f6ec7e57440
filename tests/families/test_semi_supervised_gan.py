"""The semi-supervised game: its costs against an explicit softmax over n + 1 classes."""

import pytest
import torch
from support import Repeated, Rows, trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.data import Digits
from gan_lightning.data.semi_supervised import SemiSupervised
from gan_lightning.families.semi_supervised import SemiSupervisedGAN
from gan_lightning.regularizers import R1

CLASSES, LATENT = 3, 4
LABELS = torch.tensor([0, -1, 2, -1, -1, 1, 1])


def game(discriminator=None, outputs=CLASSES, **kwargs):
    torch.manual_seed(0)
    generator = networks.MLPGenerator((2,), LATENT, width=8, depth=2).double()
    if discriminator is None:
        discriminator = networks.MLPDiscriminator((2,), width=8, depth=2, outputs=outputs)
    kwargs = {"num_classes": CLASSES} | kwargs
    return SemiSupervisedGAN(generator, discriminator.double(), LATENT, **kwargs)


def points(n=7):
    return torch.randn(n, 2, dtype=torch.float64)


def n_plus_1(model, x):
    """p(y | x) over n + 1 classes, the last one's logit at 0."""
    logits = model.discriminator(x)
    return torch.cat([logits, logits.new_zeros(len(x), 1)], 1).softmax(1)


def naive_discriminator_loss(model, x, labels, x_fake, weight=1.0):
    p_real, p_fake = n_plus_1(model, x), n_plus_1(model, x_fake)
    unlabelled = [i for i, y in enumerate(labels.tolist()) if y < 0] or list(range(len(x)))
    loss = (
        -p_fake[:, -1].log().mean()
        - torch.stack([(1 - p_real[i, -1]).log() for i in unlabelled]).mean()
    )
    labelled = [(i, y) for i, y in enumerate(labels.tolist()) if y >= 0]
    if labelled:  # log p(y | x, y < n + 1)
        given = [(p_real[i, y] / (1 - p_real[i, -1])).log() for i, y in labelled]
        loss = loss - weight * torch.stack(given).mean()
    return loss


@pytest.mark.parametrize("weight", [1.0, 2.0, 0.0])
@pytest.mark.parametrize(
    "labels", [LABELS, torch.full((7,), -1), torch.arange(7) % CLASSES], ids=["some", "no", "all"]
)
def test_discriminator_loss_is_that_of_a_softmax_over_n_plus_1_classes(labels, weight):
    model = game(class_weight=weight)
    x = points()
    objective = model.discriminator_loss(x, labels)
    expected = naive_discriminator_loss(model, x, labels, objective.x_fake, weight)
    torch.testing.assert_close(objective.loss, expected, rtol=0, atol=1e-12)
    parameters = tuple(model.discriminator.parameters())
    gradients = torch.autograd.grad(objective.loss, parameters)
    for gradient, other in zip(gradients, torch.autograd.grad(expected, parameters), strict=True):
        torch.testing.assert_close(gradient, other, rtol=0, atol=1e-12)


def test_logit_of_being_real():
    model = game()
    x = points()
    torch.testing.assert_close(model.judge(x), (1 - n_plus_1(model, x)[:, -1]).logit())
    torch.testing.assert_close(model.judge(x), model.discriminator_loss(x, LABELS).d_real)


def test_generator_matches_the_features_of_unlabelled_samples():
    model = game()
    x = points()
    for labels in (LABELS, torch.arange(7) % CLASSES):
        objective = model.generator_loss(x, labels)
        chosen = labels < 0 if (labels < 0).any() else labels >= 0
        real = model.discriminator.features(x[chosen]).mean(0)
        fake = model.discriminator.features(objective.x_fake).mean(0)
        expected = sum((a - b) ** 2 for a, b in zip(real, fake, strict=True))
        torch.testing.assert_close(objective.loss, expected, rtol=0, atol=1e-12)


def test_logs():
    model = game()
    x = points()
    logs = model.discriminator_loss(x, LABELS).logs
    answers = model.discriminator(x).argmax(1)
    labelled = LABELS >= 0
    share = (answers == LABELS)[labelled].double().mean()
    torch.testing.assert_close(logs["accuracy/labelled"], share)
    loss = model.discriminator_loss(x, LABELS)
    torch.testing.assert_close(
        loss.logs["loss/supervised"] + loss.logs["loss/unsupervised"], loss.loss
    )
    none = model.discriminator_loss(x, torch.full((7,), -1)).logs
    assert none["loss/supervised"] == none["accuracy/labelled"] == 0


def test_a_step_moves_every_parameter_of_each_player():
    model = game(regularizers=[R1(0.1)])
    before = {name: p.clone() for name, p in model.named_parameters()}
    rows = Rows()
    trainer(max_steps=1, logger=[rows]).fit(model, Repeated((points(), LABELS)))
    moved = {name for name, p in model.named_parameters() if not torch.equal(before[name], p)}
    assert moved >= {n for n in before if n.startswith(("generator.", "discriminator."))}
    assert rows.rows[0][1]["penalty/r1"] > 0


def test_classify():
    model = game().train()
    x = points(600)
    expected = model.discriminator(x).softmax(1)
    torch.testing.assert_close(model.classify(x.float()), expected.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(model.classify(x), expected.detach())
    dropout = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 3))
    dropout.feature_dim, dropout.features = 2, lambda x: x
    model = game(dropout).train()
    assert torch.equal(model.classify(x), model.classify(x))
    assert model.discriminator.training


class Batches:
    """Validation data of unequal batches, some samples unlabelled."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def test_validation_accuracy_counts_labelled_samples():
    model = game(generator_optimizer=frozen, discriminator_optimizer=frozen)
    batches = [(points(5), LABELS[:5]), (points(7), LABELS), (points(2), torch.tensor([-1, -1]))]
    rows = Rows()
    fit = trainer(max_steps=3, val_check_interval=3, logger=[rows])
    fit.fit(model, Repeated((points(), LABELS), batches=3), Batches(batches))
    right = counted = 0
    for x, labels in batches:
        for row, y in zip(model.discriminator(x), labels, strict=True):
            right += int(y >= 0 and row.argmax() == y)
            counted += int(y >= 0)
    found = [(step, row) for step, row in rows.rows if "accuracy/validation" in row]
    assert found == [(3, {"accuracy/validation": right / counted})]
    assert fit.callback_metrics["accuracy/validation"].item() == right / counted


def frozen(params):
    return torch.optim.SGD(params, lr=0.0)


def test_no_row_of_the_sanity_check():
    rows = Rows()
    fit = trainer(max_steps=1, limit_val_batches=1, logger=[rows])
    fit.num_sanity_val_steps = 1
    fit.fit(game(), Repeated((points(), LABELS), 5), Batches([(points(), LABELS)]))
    assert not any("accuracy/validation" in row for _, row in rows.rows)


def test_it_learns_digits_from_50_labels():
    """A range far above the 10 % of chance and below what all labels give."""
    torch.manual_seed(0)
    data = SemiSupervised(Digits(image_size=8, batch_size=32), labels=50)
    generator = networks.MLPGenerator((1, 8, 8), 16, width=32, depth=2)
    discriminator = networks.MLPDiscriminator((1, 8, 8), width=64, depth=2, outputs=10)
    model = SemiSupervisedGAN(generator, discriminator, 16, num_classes=10)
    fit = trainer(max_steps=264, check_val_every_n_epoch=3)
    fit.fit(model, datamodule=data)
    assert 0.6 < fit.callback_metrics["accuracy/validation"].item() < 0.99


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"num_classes": None}, "`num_classes` must be given for SemiSupervisedGAN, whose"),
        ({"class_weight": -2.0}, "`class_weight` must be a finite number of at least 0 .* -2.0"),
        (
            {"discriminator": nn.Linear(2, 3)},
            r"must have `features\(x\)` and `feature_dim` for SemiSupervisedGAN",
        ),
        (
            {"micro_batches": 2},
            "`micro_batches` must be 1 for SemiSupervisedGAN, because its costs are functions of",
        ),
        ({"conditional": True}, "`conditional` must be False for SemiSupervisedGAN, because label"),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        game(**kwargs)


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_a_discriminator_without_a_logit_a_class(outputs):
    shape = r"\(2,\)" if outputs == 1 else rf"\(2, {outputs}\)"
    with pytest.raises(
        ValueError,
        match=r"`discriminator` must return one logit a class for SemiSupervisedGAN, \(N, n\) = "
        rf"\(2, 3\), but gives {shape}",
    ):
        trainer(max_steps=1).fit(game(outputs=outputs), Repeated((points(), LABELS)))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (LABELS - 1, r"`labels` must lie in -1, ..., 2 .* but got -2"),
        (LABELS + 1, r"`labels` must lie in -1, ..., 2 .* but got 3"),
        (LABELS.double(), "`labels` must be integers but got torch.float64"),
    ],
)
def test_refused_labels(labels, match):
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=1).fit(game(), Repeated((points(), labels)))


def test_a_generator_of_another_shape():
    model = game()
    model.generator = nn.Linear(LATENT, 3).double()
    with pytest.raises(ValueError, match=r"`generator` must return .* \(2,\) but gives \(3,\)"):
        trainer(max_steps=1).fit(model, Repeated((points(), LABELS)))


def test_a_data_module_that_holds_nothing_out():
    data = SemiSupervised(Digits(image_size=8, batch_size=32), labels=50, validation=0)
    generator = networks.MLPGenerator((1, 8, 8), 16, width=8, depth=1)
    discriminator = networks.MLPDiscriminator((1, 8, 8), width=8, depth=1, outputs=10)
    model = SemiSupervisedGAN(generator, discriminator, 16, num_classes=10)
    trainer(max_steps=60).fit(model, datamodule=data)  # more than an epoch
    assert model.discriminator_updates == 60
