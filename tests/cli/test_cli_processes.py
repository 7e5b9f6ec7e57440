"""The command on several processes: one run directory for all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RING = (
    "fit",
    "--config=ring/non_saturating",
    "--trainer.accelerator=cpu",
    "--trainer.max_steps=2",
    "--data.samples=512",
    "--data.batch_size=32",
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("-m", "gan_lightning", *RING, "--trainer.devices=2"),
        (*TORCHRUN, "-m", "gan_lightning", *RING),
    ],
    ids=["lightning", "torchrun"],
)
def test_two_processes_share_a_run_directory(command, tmp_path):
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    del environment["GAN_LIGHTNING_RUN_DIR"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "runs" / "ring-non_saturating").iterdir()
    facts = json.loads((folder / "run.json").read_text())
    assert facts["world_size"] == 2
    assert facts["images_seen"] == 2 * 2 * 32
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert done.stdout.count("run directory") == 1  # the first process sums up
