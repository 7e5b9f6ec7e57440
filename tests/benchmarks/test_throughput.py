import copy
import os
import subprocess
import sys
from pathlib import Path

import lightning
import torch

from gan_lightning import NonSaturatingGAN, networks

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_plain_loop_has_the_librarys_arithmetic(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from loops import Game, plain_loop

    pair = [network.double() for network in networks.mlp((2,), 3, width=8, depth=2)]
    start = copy.deepcopy(pair)
    batches = list(torch.randn(12, 16, 2, dtype=torch.float64))
    model = NonSaturatingGAN(*pair, latent_dim=3)
    drawn, noise = [], model.noise
    monkeypatch.setattr(model, "noise", lambda n: drawn.append(noise(n)) or drawn[-1])
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=len(batches),
        log_every_n_steps=5,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, Loader(batches))
    assert len(drawn) == 2 * len(batches)

    replayed = iter(drawn)
    game = Game((2,), 3, 16, lambda: start)
    *_, average = plain_loop(game, batches, 5, noise=lambda n, latent_dim: next(replayed))
    for mine, theirs in zip([*start, average], [*pair, model.generator_ema], strict=True):
        for name, parameter in mine.named_parameters():
            torch.testing.assert_close(
                parameter, theirs.get_parameter(name), rtol=0, atol=1e-14, check_device=False
            )


class Loader(list):
    """Lightning takes a plain list for a list of loaders."""


def test_quick_run_writes_its_table(tmp_path):
    output = tmp_path / "table.md"
    command = [sys.executable, BENCHMARKS / "throughput.py", "--quick", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--output", output],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(BENCHMARKS.parent), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    text = output.read_text()
    for line in ("plain PyTorch loop", "usual loop", "library, float32", "data module"):
        assert f"\n| {line} |" in text
    assert "not measured" in text
