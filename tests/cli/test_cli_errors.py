"""Mistakes at the command line: one line, with the nearest name."""

import re
from pathlib import Path

import pytest

from gan_lightning.cli import main

FIT = ("fit", "--config", "digits/non_saturating", "--trainer.accelerator=cpu")


def complaint(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """The exit status and the one line that a command leaves behind."""
    try:
        status = main(args)
    except SystemExit as end:
        status = int(end.code or 0)
    lines = [line for line in capsys.readouterr().err.splitlines() if "Seed set" not in line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("gan-lightning: error: ")
    return status, lines[0]


@pytest.mark.parametrize(
    ("args", "nearest"),
    [
        (("fti",), "fit"),
        (("fit", "--config", "digits/dcgn"), "digits/dcgan"),
        (("fit", "--config", "dcgan"), "digits/dcgan"),
        ((*FIT, "--model.discriminator_step=3"), "discriminator_steps"),
        ((*FIT, "--trainer.max_step=3"), "--trainer.max_steps"),
        ((*FIT, "--data.batchsize=3"), "batch_size"),
        ((*FIT, "--model", "MinmaxGAN"), "MinimaxGAN"),
        ((*FIT, "--data", "Digit"), "Digits"),
        ((*FIT, "--model.generator", "DCGANGenrator"), "DCGANGenerator"),
        ((*FIT, "--model.generator.widht=3"), "width"),
        ((*FIT, "--model.generator_optimizer.betaz=3"), "beta2"),
        ((*FIT, "--model.generator_optimizer", "GANAdan"), "GANAdam"),
        ((*FIT, "--model.generator_scheduler", "CosineAnealingLR"), "CosineAnnealingLR"),
        ((*FIT, "--model.updates", "simultanous"), "simultaneous"),
        ((*FIT, "--trainer.callbacks+=SampleLoger"), "SampleLogger"),
        (
            (*FIT, "--trainer.callbacks+=SampleLogger", "--trainer.callbacks.every_n_step=3"),
            "every_n_steps",
        ),
        ((*FIT, "--trainer.logger=WandLogger"), "WandbLogger"),
        ((*FIT, "--seed_everythin=3"), "--seed_everything"),
        ((*FIT, "--run_dri=x"), "--run_dir"),
        ((*FIT, "--resum", "x"), "--resume"),
        (("sample", "run", "--numbr", "3"), "--number"),
    ],
)
def test_mistyped_names_get_the_nearest(capsys, args, nearest):
    status, line = complaint(capsys, *args)
    assert status == 2
    assert line.endswith(f"did you mean '{nearest}'?")


@pytest.mark.parametrize(
    ("content", "nearest"),
    [
        ("modle: DCGAN\ndata: Digits\n", "model"),
        ("model: NonSaturatngGAN\ndata: Digits\n", "NonSaturatingGAN"),
        ("model: gan_lightning.families.DCGAM\ndata: Digits\n", "DCGAN"),
        ("model: DCGAN\ndata: Digits\ntrainer: {max_step: 3}\n", "trainer.max_steps"),
        ("model: DCGAN\ndata: Digits\ntrainer: {callbacks: [SampleLoger]}\n", "SampleLogger"),
        (
            "model: DCGAN\ndata: Digits\ntrainer:\n  callbacks:\n  - class_path: SampleLogger\n"
            "    init_args: {every_n_step: 3}\n",
            "every_n_steps",
        ),
        (
            "model:\n  class_path: NonSaturatingGAN\n  init_args:\n    latent_dim: 5\n"
            "    generator: {class_path: DCGANGenerator, init_args: {widht: 4}}\n"
            "    discriminator: DCGANDiscriminator\ndata: Digits\n",
            "width",
        ),
        (
            "model:\n  class_path: DCGAN\n  init_args:\n"
            "    generator_optimizer: {class_path: GANAdam, init_args: {betaz: 1}}\ndata: Digits\n",
            "beta2",
        ),
    ],
)
def test_mistyped_names_in_files_get_the_nearest(capsys, content, nearest):
    Path("mine.yaml").write_text(content)
    status, line = complaint(capsys, "fit", "--config", "mine.yaml")
    assert status == 2
    assert line.endswith(f"did you mean '{nearest}'?")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((*FIT, "--model.discriminator_steps=x"), "`discriminator_steps` .*of type int, got 'x'"),
        ((*FIT, "--trainer.max_steps=abc"), "`trainer.max_steps` must be of type int, got 'abc'"),
        ((*FIT, "extra"), "takes options only, got 'extra'"),
        (("fit",), "a run needs `data` and `model`"),
        (("fit", "--config"), "`--config` must be followed by"),
        (("fit", "--resume"), "`--resume` must be followed by"),
        (("fit", "--resume", "nowhere"), "must be a run directory, got 'nowhere'"),
        ((*FIT, "--resume", "x"), "without `--config`.*, got 'digits/non_saturating'"),
        (("sample",), "required: RUN_DIR"),
    ],
)
def test_wrong_usage(capsys, args, expected):
    status, line = complaint(capsys, *args)
    assert status == 2
    assert re.search(expected, line), line


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("--trainer.max_steps=0", "`trainer.max_steps` must be at least 1, got 0."),
        ("--trainer.max_steps=-1", "must say when to stop, got none of them."),
        ("--model.latent_dim=-3", "`latent_dim` must be a positive integer, got -3."),
        ("--data.image_size=15", "`image_size` must be one of 8, 16, 32, 64, got 15."),
        ("--trainer.accelerator=cpuu", "`accelerator='cpuu'`"),
    ],
)
def test_refused_values_get_one_line_and_leave_no_folder(capsys, args, expected):
    status, line = complaint(capsys, *FIT, args)
    assert status == 1
    assert expected in line
    assert not list(Path("runs").glob("*/*"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [("model: [1,\n", "must be valid YAML"), ("just text\n", "must hold `model`")],
)
def test_files_that_are_no_configuration(capsys, content, expected):
    Path("mine.yaml").write_text(content)
    status, line = complaint(capsys, "fit", "--config", "mine.yaml")
    assert status == 2
    assert "'mine.yaml'" in line
    assert expected in line


def test_missing_data_folder(capsys):
    args = ("fit", "--config", "fashion_mnist/dcgan", "--data.root=nowhere")
    status = main((*args, "--trainer.accelerator=cpu"))
    assert status == 1
    assert "nowhere" in capsys.readouterr().err.splitlines()[-1]
    assert not list(Path("runs").glob("*/*"))


def test_resume_needs_a_whole_run(capsys, tmp_path):
    for missing in ("config.yaml", "checkpoints/last.ckpt"):
        status, line = complaint(capsys, "fit", "--resume", str(tmp_path))
        assert status == 2
        assert missing in line
        Path("config.yaml").write_text("model: DCGAN\n")
    Path("checkpoints").mkdir()
    Path("checkpoints/last.ckpt").touch()
    _, line = complaint(capsys, "fit", "--resume", str(tmp_path))
    assert "was made in Python" in line


def test_a_folder_is_no_config(capsys, tmp_path):
    Path("config.yaml").write_text("model: DCGAN\n")
    _, line = complaint(capsys, "fit", "--config", str(tmp_path))
    assert "to go on with that run" in line
