"""What answers without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

import gan_lightning
from gan_lightning.cli import main
from gan_lightning.cli.errors import did_you_mean, is_for_the_user, one_line, root_cause
from gan_lightning.cli.recipes import find_config, recipes, run_name
from gan_lightning.data import lsun

ROOT = Path(gan_lightning.__file__).parents[1]


def without_torch(statement: str) -> subprocess.CompletedProcess[str]:
    # The package need not be installed, and the tests' folder is not the repository.
    before = f"import sys\nsys.path.insert(0, {str(ROOT)!r})"
    code = f"{before}\n{statement}\nassert 'torch' not in sys.modules, 'torch was imported'"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--help"], "recipes"),
        (["--version"], gan_lightning.__version__),
        (["recipes"], "digits/dcgan"),
        ([], "usage"),
    ],
)
def test_help_and_recipes_do_not_import_torch(args, expected):
    done = without_torch(f"from gan_lightning.cli import main\nassert main({args!r}) == 0")
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


@pytest.mark.parametrize("args", [["sample", "--help"], ["recipes", "--help"]])
def test_help_of_a_command_does_not_import_torch(args):
    done = without_torch(
        "from gan_lightning.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_mistyped_commands_and_recipes_do_not_import_torch():
    for args in (["fti"], ["fit", "--config", "digits/dcgn"], ["fit", "--resume", "nowhere"]):
        done = without_torch(f"from gan_lightning.cli import main\nassert main({args!r}) == 2")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("gan-lightning: error: ")


def test_package_resolves_its_names_late():
    done = without_torch("import gan_lightning\nassert 'DCGAN' in dir(gan_lightning)")
    assert done.returncode == 0, done.stderr
    assert {"DCGAN", "MinimaxGAN", "NonSaturatingGAN", "MaximumLikelihoodGAN", "load"} <= set(
        gan_lightning.__all__
    )
    from gan_lightning.families import DCGAN
    from gan_lightning.loading import load

    assert gan_lightning.DCGAN is DCGAN
    assert gan_lightning.load is load
    with pytest.raises(AttributeError, match="no attribute 'DCGAM'"):
        gan_lightning.DCGAM  # noqa: B018


def test_recipes_lists_each_with_one_line(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(recipes())
    assert all(len(line.split()) > 5 for line in lines)


def test_a_path_wins_over_a_recipe(tmp_path):
    Path("digits").mkdir()
    Path("digits/dcgan").write_text("model: {}\n")
    assert find_config("digits/dcgan") == Path("digits/dcgan")
    assert find_config("digits/minimax") == recipes()["digits/minimax"]


@pytest.mark.parametrize(
    ("config", "name"),
    [("digits/dcgan", "digits-dcgan"), ("some.yaml", "some")],
)
def test_run_name(config, name):
    Path("some.yaml").write_text("model: {}\n")
    assert run_name(config) == name


@pytest.mark.parametrize(
    ("folder", "name"),
    [("runs/digits-dcgan/2026-01-02_03-04-05", "digits-dcgan"), ("mine", "mine")],
)
def test_run_name_of_a_run_again(folder, name):
    Path(folder).mkdir(parents=True)
    for file in ("config.yaml", "run.json"):
        (Path(folder) / file).write_text("{}")
    assert run_name(f"{folder}/config.yaml") == name


def test_nothing_near_is_not_suggested():
    assert did_you_mean("zzz", ["fit", "sample"]) == ""


def caught(action) -> BaseException:
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def refuse() -> None:
    raise ValueError("`number` must be\nat least 1, got 0.")


def wrong_type() -> None:
    raise TypeError("not ours")


def no_lmdb() -> None:
    with lsun._reading(Path("nowhere")):
        pass


def test_refused_values_and_files_are_for_the_user_and_bugs_are_not(monkeypatch):
    assert is_for_the_user(caught(refuse))
    assert is_for_the_user(caught(Path("nowhere").read_text))
    assert not is_for_the_user(caught(lambda: int("x")))
    assert not is_for_the_user(caught(lambda: [][0]))
    assert not is_for_the_user(caught(wrong_type))
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert is_for_the_user(caught(no_lmdb))
    assert not is_for_the_user(caught(lambda: __import__("lmdb")))
    assert one_line(caught(refuse)) == "`number` must be at least 1, got 0."
    assert one_line(caught(Path("nowhere").read_text)) == "No such file or directory: 'nowhere'"
    error = caught(refuse)
    assert root_cause(error) is error


def test_debug_keeps_the_traceback(monkeypatch, capsys):
    monkeypatch.setenv("GAN_LIGHTNING_DEBUG", "")
    Path("samples.png").touch()
    assert main(["sample", "nowhere"]) == 1
    assert "must be an existing folder, got 'nowhere'" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="must be an existing folder, got 'nowhere'"):
        main(["sample", "nowhere", "--debug"])


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["fit", "--config=digits/dcgan"], "Interrupted before training began."),
        (["sample", "nowhere"], "Interrupted."),
    ],
)
def test_ctrl_c_at_the_start_is_no_traceback(args, sentence):
    done = without_torch(
        "class Press:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Press())\n"
        "from gan_lightning.cli import main\n"
        f"assert main({args!r}) == 130"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split("\n") == ["", sentence, ""]
