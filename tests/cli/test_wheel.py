"""The wheel, installed outside the repository."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(pytest.__file__).parents[1]  # where the development environment's packages lie


def run(*args: str, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        args, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_wheel_runs_the_main_job_outside_the_repository(tmp_path):
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"),
        str(tmp_path),
        str(ROOT),
        cwd=tmp_path,
    )
    (wheel,) = tmp_path.glob("gan_lightning-*.whl")
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (packages / "development.pth").write_text(f"{SITE}\n")
    python = str(tmp_path / "env" / "bin" / "python")
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps"),
        *("--no-index", "--no-compile", "--ignore-installed", str(wheel)),
        cwd=tmp_path,
    )
    command = str(tmp_path / "env" / "bin" / "gan-lightning")
    where = run(python, "-c", "import gan_lightning; print(gan_lightning.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(packages)
    assert "digits/dcgan" in run(command, "recipes", cwd=tmp_path)
    trainer = ("--trainer.max_steps=2", "--trainer.accelerator=cpu")
    run(command, "fit", "--config", "digits/dcgan", *trainer, "--run_dir=run", cwd=tmp_path)
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    run(command, "sample", "run", "--number=4", cwd=tmp_path)
    assert (tmp_path / "samples.png").is_file()
