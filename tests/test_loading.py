import shutil
from functools import partial

import pytest
import torch
import yaml
from support import Repeated, mlp_game, points, trainer
from torch import nn

import gan_lightning
from gan_lightning import networks
from gan_lightning.callbacks import GANCheckpoint, RunRecorder
from gan_lightning.data import Digits
from gan_lightning.families import DCGAN, AbstractAlternatingGAN, MinimaxGAN, NonSaturatingGAN
from gan_lightning.families.cgan import CGAN
from gan_lightning.families.pacgan import PacGAN
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1


def run_of(folder, module, data, max_steps=3, every=2):
    callbacks = [RunRecorder(folder), GANCheckpoint(every_n_steps=every, every_n_minutes=None)]
    trainer(max_steps=max_steps, callbacks=callbacks).fit(module, data)
    return folder


def ring_game(family=NonSaturatingGAN, **kwargs):
    return mlp_game(family, dtype=torch.float32, **kwargs)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on points, and its model."""
    module = ring_game(real_target=0.9, generator_optimizer=GANAdam)
    return run_of(tmp_path_factory.mktemp("run"), module, points()), module


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run[0], tmp_path / "copy")


def edit(folder, change):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    change(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def assert_same(loaded, module):
    assert type(loaded) is type(module)
    assert not loaded.training
    for (name, a), b in zip(loaded.state_dict().items(), module.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert torch.equal(loaded.sample(9, seed=4), module.sample(9, seed=4))


def test_the_samples_are_the_same_bit_by_bit(run):
    folder, module = run
    loaded = gan_lightning.load(folder)
    assert_same(loaded, module)
    assert loaded.real_target == 0.9
    assert loaded.discriminator_updates == 3
    assert loaded.images_seen == 24


def test_a_dcgan_built_in_python(tmp_path):
    module = DCGAN((1, 16, 16), latent_dim=5, width=4, ema_halflife=None)
    run_of(tmp_path, module, Digits(batch_size=8), max_steps=1)
    loaded = gan_lightning.load(tmp_path)
    assert_same(loaded, module)
    assert loaded.generator_ema is None


SMALL_PAIRS = [
    (partial(networks.MLPGenerator, width=8), partial(networks.MLPDiscriminator, width=8)),
    (networks.MLPGenerator, networks.MLPDiscriminator),
]


@pytest.mark.parametrize("factories", SMALL_PAIRS, ids=["partial", "class"])
def test_a_conditional_game_built_in_python(tmp_path, factories):
    pair = networks.conditional_pair((2,), 4, 3, *factories, embedding_dim=2)
    module = CGAN(*pair, 4, num_classes=3)
    run_of(tmp_path, module, Repeated((torch.randn(6, 2), torch.arange(6) % 3)))
    assert "not_recorded" not in yaml.safe_load((tmp_path / "config.yaml").read_text())
    loaded = gan_lightning.load(tmp_path)
    assert_same(loaded, module)
    assert torch.equal(loaded.sample(6, labels=1, seed=0), module.sample(6, labels=1, seed=0))


@pytest.mark.parametrize(
    "discriminator",
    [
        networks.Packed(networks.MLPDiscriminator, 2, image_shape=(2,)),
        networks.Packed(networks.MLPDiscriminator((4,), width=8), 2),
        networks.Packed(partial(networks.MLPDiscriminator, width=8), 2, image_shape=(2,)),
    ],
    ids=["class", "network", "partial"],
)
def test_a_packed_game_built_in_python(tmp_path, discriminator):
    module = PacGAN(networks.MLPGenerator((2,), 4), discriminator, 4)
    run_of(tmp_path, module, points())
    assert_same(gan_lightning.load(tmp_path), module)


def test_packed_pairs_are_to_be_given(tmp_path):
    def discriminator():
        factory = partial(networks.Packed, networks.MLPDiscriminator, 2)
        return networks.ConditionalDiscriminator((2,), 3, factory)

    generator = networks.ConditionalGenerator((2,), 4, 3, networks.MLPGenerator)
    module = CGAN(generator, discriminator(), 4, num_classes=3)
    run_of(tmp_path, module, Repeated((torch.randn(6, 2), torch.arange(6) % 3)))
    with pytest.raises(ValueError, match="`discriminator` must be given to `load`"):
        gan_lightning.load(tmp_path)
    assert_same(gan_lightning.load(tmp_path, discriminator=discriminator()), module)


class Tilt:
    """An object of a family's own, which keeps its arguments by their names."""

    def __init__(self, angle: float = 0.0, name: str = "tilt") -> None:
        self.angle, self.name = angle, name


class Tilted(AbstractAlternatingGAN):
    """A family with an encoder and an object of its own."""

    def __init__(
        self, *args, encoder: nn.Module | None = None, tilt: Tilt | None = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        self.encoder, self.tilt = encoder, tilt

    discriminator_loss = NonSaturatingGAN.discriminator_loss
    generator_loss = NonSaturatingGAN.generator_loss
    real_target, fake_target = 1.0, 0.0

    def generator_cost(self, d_fake):
        return nn.functional.softplus(-d_fake).mean(), {}


def tilted(encoder, **kwargs):
    return Tilted(*networks.mlp((2,), 4, width=8), 4, encoder=encoder, **kwargs)


@pytest.mark.filterwarnings("ignore:Attribute 'encoder' is an instance of `nn.Module`")
def test_objects_of_a_familys_own_and_regularizers(tmp_path):
    encoder = networks.MLPDiscriminator((2,), width=8, outputs=4)
    module = tilted(encoder, tilt=Tilt(0.25), regularizers=[R1(0.5)])
    run_of(tmp_path, module, points())
    loaded = gan_lightning.load(tmp_path)
    assert_same(loaded, module)
    assert (loaded.tilt.angle, loaded.tilt.name) == (0.25, "tilt")
    (r1,) = loaded.regularizers
    assert isinstance(r1, R1)
    assert r1.gamma == 0.5


@pytest.mark.filterwarnings("ignore:Attribute 'encoder' is an instance of `nn.Module`")
def test_a_foreign_encoder_is_asked_for_and_taken(tmp_path):
    run_of(tmp_path, module := tilted(nn.Linear(2, 4)), points())
    with pytest.raises(ValueError, match="`encoder` must be given to `load`"):
        gan_lightning.load(tmp_path)
    assert_same(gan_lightning.load(tmp_path, encoder=nn.Linear(2, 4)), module)
    with pytest.raises(ValueError, match=r"must hold the weights .* size mismatch"):
        gan_lightning.load(tmp_path, encoder=nn.Linear(2, 3))


def test_an_optional_encoder_may_be_none(tmp_path):
    run_of(tmp_path, module := tilted(None), points())
    loaded = gan_lightning.load(tmp_path)
    assert_same(loaded, module)
    assert loaded.encoder is None
    assert loaded.tilt is None


def test_an_encoder_for_a_family_without_one_is_refused(run):
    with pytest.raises(ValueError, match=r"`encoder` must be left out for .*NonSaturatingGAN"):
        gan_lightning.load(run[0], encoder=nn.Linear(2, 4))


def test_linked_arguments_are_filled_in(copied, run):
    def unlink(config):
        args = config["model"]["init_args"]
        for name, linked in (
            ("generator", ("image_shape", "latent_dim")),
            ("discriminator", ("image_shape",)),
        ):
            for argument in linked:
                del args[name]["init_args"][argument]
        config["model"]["class_path"] = "gan_lightning.NonSaturatingGAN"

    edit(copied, unlink)
    assert_same(gan_lightning.load(copied), run[1])


def test_linked_arguments_of_the_family_are_filled_in(tmp_path):
    module = DCGAN((1, 16, 16), latent_dim=5, width=4)
    run_of(tmp_path, module, Digits(batch_size=8), max_steps=1)
    edit(tmp_path, lambda config: config["model"]["init_args"].pop("image_shape"))
    assert_same(gan_lightning.load(tmp_path), module)


def test_an_earlier_checkpoint(run):
    folder, module = run
    by_name = gan_lightning.load(folder, checkpoint="step=2.ckpt")
    by_path = gan_lightning.load(folder, checkpoint=folder / "checkpoints" / "step=2.ckpt")
    assert by_name.discriminator_updates == by_path.discriminator_updates == 2
    assert torch.equal(by_name.sample(3, seed=0), by_path.sample(3, seed=0))
    assert not torch.equal(by_name.sample(3, seed=0), module.sample(3, seed=0))


def test_without_last_the_highest_step_is_taken(copied):
    (copied / "checkpoints" / "last.ckpt").unlink()
    assert gan_lightning.load(copied).discriminator_updates == 3


def foreign():
    return nn.Linear(3, 2), nn.Linear(2, 1)


def test_foreign_networks_are_asked_for_and_taken(tmp_path):
    module = NonSaturatingGAN(*foreign(), 3)
    run_of(tmp_path, module, points())
    with pytest.raises(
        ValueError, match=r"`generator` must be given to `load` for .* built in Python"
    ):
        gan_lightning.load(tmp_path)
    generator, discriminator = foreign()
    with pytest.raises(ValueError, match="`discriminator` must be given to `load`"):
        gan_lightning.load(tmp_path, generator=generator)
    loaded = gan_lightning.load(tmp_path, generator=generator, discriminator=discriminator)
    assert_same(loaded, module)


def test_other_networks_are_refused(run):
    generator, discriminator = networks.mlp((2,), 4, width=12, depth=2)
    with pytest.raises(ValueError, match=r"must hold the weights of the networks .* size mismatch"):
        gan_lightning.load(run[0], generator=generator, discriminator=discriminator)


def test_networks_for_a_family_that_builds_its_own_are_refused(tmp_path):
    run_of(tmp_path, DCGAN((1, 16, 16), latent_dim=5, width=4), Digits(batch_size=8), max_steps=1)
    with pytest.raises(ValueError, match=r"`generator` must be left out for .*DCGAN"):
        gan_lightning.load(tmp_path, generator=nn.Linear(1, 1))


def test_what_is_missing_is_named(copied, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"`run_dir` must be an existing folder, got '.*nowhere'"
    ):
        gan_lightning.load(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"`checkpoint` must be an existing file, got 'no\.ckpt'"
    ):
        gan_lightning.load(copied, checkpoint="no.ckpt")
    shutil.rmtree(copied / "checkpoints")
    with pytest.raises(FileNotFoundError, match="`run_dir` must hold a checkpoint, got"):
        gan_lightning.load(copied)
    (copied / "config.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"`run_dir` must hold a config\.yaml, got"):
        gan_lightning.load(copied)


def test_a_checkpoint_of_another_family_is_refused(copied, tmp_path):
    other = run_of(tmp_path / "other", ring_game(MinimaxGAN), points())
    with pytest.raises(
        ValueError, match=r"of the family NonSaturatingGAN, .* of the family MinimaxGAN"
    ):
        gan_lightning.load(copied, checkpoint=other / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize("keep", [0, 1, 100, 3000])
def test_a_corrupt_checkpoint_is_named(copied, keep):
    last = copied / "checkpoints" / "last.ckpt"
    content = last.read_bytes()[:keep]
    last.unlink()  # it may share its content with another file
    last.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"`checkpoint` must be a file that torch can read, got '.*last\.ckpt'"
    ):
        gan_lightning.load(copied)


def test_a_foreign_checkpoint_is_refused(copied, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="`checkpoint` must be one of gan_lightning's"):
        gan_lightning.load(copied, checkpoint=tmp_path / "other.ckpt")


def other_class(config):
    init_args = {"in_features": 1, "out_features": 1}
    config["model"] = {"class_path": "torch.nn.Linear", "init_args": init_args}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.pop("model"), "must describe a `model` with a `class_path`, got None"),
        (lambda c: c["model"].update(class_path="gan_lightning.No"), "that can be imported, got"),
        (other_class, "must describe a `model` that can be built: "),
        (lambda c: c["model"]["init_args"].update(real_tagret=1), "that can be built: .*real_tagr"),
        (lambda c: c["model"]["init_args"].update(micro_batches=0), "`micro_batches` must"),
    ],
)
def test_a_config_that_does_not_describe_a_model_is_refused(copied, change, match):
    edit(copied, change)
    with pytest.raises(ValueError, match=match):
        gan_lightning.load(copied)
