import re

import pytest
import torch
from families.cases import CASES
from support import mlp_game, points, trainer
from torch import nn

from gan_lightning import families, networks
from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.callbacks.monitors import remedies
from gan_lightning.callbacks.monitors.advice import advice
from gan_lightning.networks.packed import Packed
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1, GradientPenalty

COLLAPSE = ["mode collapse", "partial mode collapse"]
NON_CONVERGENCE = ["discriminator wins", "generator wins", "no progress", "oscillation"]
KINDS = [*COLLAPSE, *NON_CONVERGENCE, "divergence", "overfitting", "copying"]
WITH_TARGET = {
    "minimax", "non-saturating", "non-saturating, labels", "maximum likelihood", "dcgan", "lsgan",
    "cgan", "unrolled", "pacgan",
}  # fmt: skip


def said(module, kinds=KINDS):
    """All advice about some failures."""
    return "\n".join(phrase for kind in kinds for phrase in advice(kind, module))


def images(kernel=3):
    """Networks for 8x8 images with one convolution each."""
    generator = nn.Sequential(
        nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 1, kernel, padding="same")
    )
    discriminator = nn.Sequential(nn.Conv2d(1, 1, (1, kernel)), nn.Flatten(), nn.LazyLinear(1))
    discriminator(torch.zeros(1, 1, 8, 8))
    return families.NonSaturatingGAN(generator, discriminator, 4)


@pytest.mark.parametrize("name", CASES)
def test_every_family_gets_advice_that_suits_it(name):
    module = CASES[name].make()
    for kind in KINDS:
        phrases = advice(kind, module)
        assert 2 <= len(set(phrases)) == len(phrases) <= 5, kind
        assert all(phrase and ";" not in phrase for phrase in phrases), kind
        assert all(phrase.count("(") == phrase.count(")") for phrase in phrases), kind
    assert module.real_target == 1 if name in WITH_TARGET else True
    assert ("LabelSmoothing" in said(module)) == (name in WITH_TARGET)


@pytest.mark.parametrize("name", CASES)
def test_the_failure_guides_remedies_are_always_there(name):
    module = CASES[name].make(ema_halflife=None, updates="simultaneous")
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for kind in [*COLLAPSE, *NON_CONVERGENCE]:
        phrases = advice(kind, module)
        assert any(p.startswith("enlarge the latent dimension") for p in phrases), kind
        assert any(re.match(r"lower .*learning rate", p) for p in phrases), kind
        kernels = any("kernels" in p for p in phrases)
        assert kernels == (kind in NON_CONVERGENCE and bool(convolutions)), kind


@pytest.mark.parametrize("name", CASES)
def test_what_is_proposed_is_not_refused(name):
    module = CASES[name].make()
    text = said(module)
    if "LabelSmoothing" in text:
        LabelSmoothing(0.9).setup(None, module, "fit")
    if "R1()" in text:
        CASES[name].make(regularizers=[R1()])
    if "`clip_generator=1`" in text:
        CASES[name].make(clip_generator=1.0)
    if "networks.Packed" in text and name != "dcgan":  # which makes its own networks
        CASES[name].make(discriminator=Packed(module.discriminator, 2))
    for family in ("WGANGP", "UnrolledGAN", "NonSaturatingGAN"):
        if f"`{family}`" in text:
            g, d = module.generator, module.discriminator
            if "without batch norm" in text:
                d = networks.DCGANDiscriminator((1, 8, 8), 4, batch_norm=False)
            labels = {"num_classes": module.num_classes, "conditional": module.conditional}
            getattr(families, family)(g, d, module.latent_dim, **labels)


def test_an_unknown_failure_has_no_advice():
    assert advice("boredom", mlp_game(families.WGAN)) == ()


GAN, WGAN = families.NonSaturatingGAN, families.WGAN


@pytest.mark.parametrize(
    ("phrase", "without", "having"),
    [
        ("LabelSmoothing", (GAN, {}), (GAN, {"real_target": 0.9})),
        ("R1()", (GAN, {}), (GAN, {"regularizers": [R1()]})),
        ("R1()", (GAN, {}), (GAN, {"regularizers": [GradientPenalty()]})),
        ("R1()", (GAN, {}), (families.WGANGP, {})),
        ("raise the weight of `r1`", (GAN, {"regularizers": [R1()]}), (GAN, {})),
        ("raise the weight of `gradient_penalty`", (families.WGANGP, {}), (GAN, {})),
        ("WGANGP", (WGAN, {}), (families.WGANGP, {})),
        ("WGANGP", (GAN, {}), (families.HingeGAN, {})),
        ("replace weight clipping", (WGAN, {}), (GAN, {})),
        ("lower `clip` (now 0.01)", (WGAN, {}), (GAN, {})),
        ("NonSaturatingGAN", (families.MinimaxGAN, {}), (GAN, {})),
        ("`UnrolledGAN`", (GAN, {}), (families.UnrolledGAN, {})),
        ("`unrolling` (now 3)", (families.UnrolledGAN, {"unrolling": 3}), (GAN, {})),
        ("updates='alternating'", (GAN, {"updates": "simultaneous"}), (GAN, {})),
        ("`ema_halflife=10_000`", (GAN, {"ema_halflife": None}), (GAN, {"ema_halflife": 50.0})),
        ("clip_generator=1", (GAN, {}), (GAN, {"clip_generator": 5.0})),
        (
            "generator_scheduler",
            (GAN, {}),
            (GAN, {"generator_scheduler": lambda o: torch.optim.lr_scheduler.LinearLR(o)}),
        ),
        ("lower `discriminator_steps` (now 5)", (GAN, {"discriminator_steps": 5}), (GAN, {})),
        ("lower `discriminator_steps`", (GAN, {"discriminator_steps": 5}), (WGAN, {})),
    ],
)  # fmt: skip
def test_what_a_game_has_already_is_not_proposed(phrase, without, having):
    (lacking, some), (owning, others) = without, having
    assert phrase in said(mlp_game(lacking, **some))
    assert phrase not in said(mlp_game(owning, **others))


def test_packed_and_normalised_discriminators_are_not_proposed_again():
    plain, packed = CASES["hinge"].make(), CASES["pacgan"].make()
    assert "networks.Packed" in said(plain)
    assert "spectrally" in said(plain, ["divergence"])
    assert "Packed" not in said(packed)
    assert "spectrally" not in said(CASES["hinge, projection"].make(), ["divergence"])


def test_batch_norm_must_go_before_a_gradient_penalty():
    module = CASES["dcgan"].make(image_shape=(1, 16, 16))
    phrase = "train as a `WGANGP`, without batch norm in D (Gulrajani et al. 2017)"
    assert remedies.wasserstein(module) == phrase
    assert remedies.wasserstein(mlp_game(GAN)) == "train as a `WGANGP` (Gulrajani et al. 2017)"


def test_settings_are_told_as_they_are():
    module = mlp_game(
        GAN,
        generator_optimizer=lambda p: GANAdam(p, lr=0.003, beta1=0.9),
        discriminator_optimizer=lambda p: GANAdam(p, lr=0.0125, beta1=0.0),
    )
    assert "learning rate\n" in said(module) + "\n"
    trainer(max_steps=1).fit(module, points())
    text = said(module)
    assert "lower the generator's learning rate (now 0.003)" in text
    assert "lower the discriminator's learning rate (now 0.0125)" in text
    assert "lower both learning rates (now G 0.003, D 0.0125)" in text
    assert "lower Adam's beta1 to 0.5 or 0 (now 0.9)" in text
    module.trainer.optimizers[1].param_groups[0].update(lr=2e-5, betas=(0.5, 0.9))
    assert "lower the generator's learning rate (now 2e-05)" in said(module)
    assert "beta1" not in said(module)


def test_half_precision_is_named_where_it_is_used():
    module = mlp_game(GAN, dtype=torch.float32)
    trainer(max_steps=1, precision="bf16-mixed").fit(module, points())
    assert "precision" not in said(module, ["divergence"])
    module.trainer.strategy.precision_plugin.precision = "16-mixed"
    assert "(now '16-mixed')" in advice("divergence", module)[0]


@pytest.mark.parametrize(("kernel", "early"), [(2, True), (3, True), (4, False), (7, False)])
def test_small_kernels_come_first(kernel, early):
    phrases = advice("generator wins", images(kernel))
    (place,) = (
        i for i, phrase in enumerate(phrases) if f"kernels (now at most {kernel})" in phrase
    )
    assert (place < len(phrases) - 1) == early


@pytest.mark.parametrize(("latent_dim", "early"), [(1, True), (2, False), (8, False), (128, False)])
def test_a_small_latent_space_comes_first(latent_dim, early):
    generator, discriminator = networks.mlp((2,), latent_dim, width=8, depth=1)
    module = GAN(generator, discriminator, latent_dim)
    (place,) = (
        i
        for i, phrase in enumerate(advice("mode collapse", module))
        if f"latent dimension (now {latent_dim})" in phrase
    )
    assert (place == 0) == early


def test_advice_changes_nothing():
    module = mlp_game(families.MinimaxGAN)
    before = {name: p.clone() for name, p in module.named_parameters()}
    state = torch.get_rng_state()
    said(module)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, before[n]) and p.grad is None for n, p in module.named_parameters())
