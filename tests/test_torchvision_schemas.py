"""torchvision beside a torch that its compiled extension does not fit: in fresh processes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A torchvision package whose extension "loads", or does not, whatever is installed here.
PRELUDE = """
import importlib.machinery, importlib.util, pathlib, sys, types
import torch
folder = pathlib.Path(sys.argv[1])
(folder / "_C.so").touch()
spec = importlib.machinery.ModuleSpec("torchvision", None, is_package=True)
spec.submodule_search_locations = [str(folder)]
importlib.util.find_spec = lambda name: spec
tried = []
def load_library(path):
    tried.append(path)
    if not LOADS:
        raise OSError("undefined symbol")
torch.ops.load_library = load_library
def defined(name):
    return f"torchvision::{name}" in {s.name for s in torch._C._jit_get_all_schemas()}
"""


def run(code, *arguments):
    """The words that a fresh process prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("first", ["gan_lightning", "gan_lightning.networks"])
def test_lightning_and_torchvision_import_here(first):
    code = f"import {first}, lightning, torchvision; print(torchvision.__name__)"
    assert run(code) == ["torchvision"]


def test_importing_the_package_imports_neither():
    code = "import gan_lightning, sys; print('torch' in sys.modules, 'torchvision' in sys.modules)"
    assert run(code) == ["False", "False"]


def test_missing_operators_are_declared(tmp_path):
    code = (
        "LOADS = False"
        + PRELUDE
        + """
import gan_lightning._torchvision as mended
assert not tried
mended.declare_missing_schemas()
schemas = [s for s in torch._C._jit_get_all_schemas() if s.name.startswith("torchvision::")]
print(len(tried), *sorted(str(s).split("(")[0] for s in schemas))
assert mended.declare_missing_schemas()  # a second call changes nothing
"""
    )
    assert run(code, tmp_path) == ["1", "torchvision::nms", "torchvision::qnms"]


def test_nothing_is_declared_beside_an_extension_that_loads(tmp_path):
    code = (
        "LOADS = True"
        + PRELUDE
        + """
import gan_lightning._torchvision as mended
mended.declare_missing_schemas()
print(mended._library is not None, len(tried), defined("nms"), defined("qnms"))
"""
    )
    assert run(code, tmp_path) == ["False", "1", "False", "False"]


def test_nothing_is_declared_once_torchvision_is_there(tmp_path):
    code = (
        "LOADS = False"
        + PRELUDE
        + """
sys.modules["torchvision"] = types.ModuleType("torchvision")
import gan_lightning._torchvision as mended
mended.declare_missing_schemas()
print(len(tried), defined("nms"))
"""
    )
    assert run(code, tmp_path) == ["0", "False"]
