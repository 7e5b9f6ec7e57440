"""Every packaged recipe, against the classes it names."""

import gzip
import struct

import gan_lightning

# isort: split

import lightning
import numpy as np
import pytest
import torch
import yaml
from support import Turns, trainer

from gan_lightning.cli import main
from gan_lightning.cli.recipes import recipes

RECIPES = recipes()
FAMILIES = {"dcgan", "non_saturating", "minimax", "maximum_likelihood"}


def test_the_recipes_there_are():
    """Every family has one; those of the first four games are on every data set that suits."""
    models = [yaml.safe_load(file.read_text())["model"] for file in RECIPES.values()]
    families = set(gan_lightning.__all__) - {"load", "__version__"}
    assert {model["class_path"] for model in models} == families
    expected = {f"{data}/{family}" for data in ("digits", "fashion_mnist") for family in FAMILIES}
    expected |= {f"ring/{family}" for family in FAMILIES - {"dcgan"}}
    assert expected <= set(RECIPES)


@pytest.fixture
def fashion(tmp_path) -> str:
    """Four small IDX files, as the data set's own."""
    generator = np.random.default_rng(0)
    for part in ("train", "t10k"):
        images = generator.integers(0, 256, (256, 28, 28), dtype=np.uint8)
        labels = np.arange(256, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            file = tmp_path / f"{part}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + array.tobytes()))
    return str(tmp_path)


def small_data(name: str, folder: str) -> list[str]:
    """Where the recipe's files are, if it reads any; `SemiSupervised` wraps the data set."""
    if not name.startswith("fashion_mnist"):
        return []
    if not name.endswith("semi_supervised"):
        return [f"--data.root={folder}"]
    return [f"--data.data.root={folder}", "--data.labels=20", "--data.labelled_per_batch=8"]


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_complete_and_repeats_nothing(name):
    text = RECIPES[name].read_text()
    assert text.startswith("# ")
    config = yaml.safe_load(text)
    assert set(config) == {"model", "data", "trainer"}
    assert config["trainer"]["max_steps"] > 0
    for linked in ("image_shape", "num_classes"):
        assert linked not in text
    assert text.count("latent_dim") == 1


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_builds_networks_that_fit_its_data(name, fashion, monkeypatch):
    """And one step of them moves one player at a time, and all of it."""
    built = []
    with monkeypatch.context() as patch:
        patch.setattr(lightning.Trainer, "fit", lambda self, model, **kw: built.append((model, kw)))
        args = small_data(name, fashion)
        assert main(["fit", "--config", name, "--trainer.accelerator=cpu", *args]) == 0
    ((model, kwargs),) = built
    data = kwargs["datamodule"]
    n = 2 * model.samples_per_input
    x = model.sample(n, seed=0)
    assert x.shape == (n, *data.image_shape)
    labels = torch.zeros(n, dtype=torch.int64)
    model.check_networks(x, *([labels] if model.uses_labels else []))
    assert (
        model.latent_dim
        == yaml.safe_load(RECIPES[name].read_text())["model"]["init_args"]["latent_dim"]
    )
    turns = Turns()
    without_validation = {"limit_val_batches": 0}
    trainer(max_steps=1, callbacks=[turns], **without_validation).fit(model, datamodule=data)
    turns.check(model.discriminator_steps)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_trains_on_its_data(name, fashion):
    args = small_data(name, fashion)
    small = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--run_dir=run"]
    assert main(["fit", "--config", name, *small, *args]) == 0
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2
