"""Who may import whom: the table of the design, held against the imports of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_lightning"
FILES = sorted(PACKAGE.rglob("*.py"))


class Rule(NamedTuple):
    """What the modules of a room may import beside the standard library and their own room."""

    rooms: tuple[str, ...] = ()  # of this package
    others: tuple[str, ...] | None = None  # third parties; None: any


# A module obeys the longest key that it lies under. "" is the package's own __init__.
RULES = {
    "losses": Rule(others=("torch",)),
    "networks.layers": Rule(others=("torch",)),
    "metrics.functional": Rule(others=("torch",)),
    "regularizers": Rule(others=("torch",)),
    "optim": Rule(others=("torch",)),
    "networks": Rule(("networks.layers",), ("torch",)),
    "metrics": Rule(("metrics.functional",)),
    "data": Rule(("_seeds",)),
    "families": Rule(("families.dcgan", "losses", "regularizers", "optim", "_seeds")),
    "families.dcgan": Rule(("families", "losses", "regularizers", "optim", "networks.dcgan")),
    "callbacks": Rule(("families.base", "metrics", "runs")),
    "runs": Rule(others=("yaml",)),
    "loading": Rule(("families.base", "runs")),
    "_torchvision": Rule(others=("torch",)),
    "_seeds": Rule(others=()),
    "cli": Rule(("",), ("yaml",)),  # inside functions: everything
    "__main__": Rule(("",), ()),
    "_cli": Rule(("",)),
    "": Rule(("",), ()),  # for type checkers and inside functions
}


class Import(NamedTuple):
    """One name that a file imports, where, and whether already while the file is being imported."""

    target: str
    line: int
    eager: bool


def imports_of(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Every import in a source: conditional, lazy, relative, or `import_module` of a constant."""
    package = module if is_package else module.rpartition(".")[0]
    tree = ast.parse(source)
    lazy = {id(node) for function in functions(tree) for node in ast.walk(function)}
    lazy |= {id(node) for block in type_checking_blocks(tree) for node in ast.walk(block)}
    for node in ast.walk(tree):
        for target in targets_of(node, package):
            yield Import(target, node.lineno, id(node) not in lazy)


def functions(tree: ast.AST) -> list[ast.AST]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def type_checking_blocks(tree: ast.AST) -> list[ast.AST]:
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return [s for b in blocks if "TYPE_CHECKING" in ast.unparse(b.test) for s in b.body]


def targets_of(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
        base = ".".join([*(parents if node.level else []), *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in ("import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def under(name: str, room: str) -> bool:
    return room == "" or name == room or name.startswith(room + ".")


def rule_of(module: str) -> tuple[str, Rule]:
    room = max((r for r in RULES if r and under(module, r)), key=len, default="")
    return room, RULES[room]


def allowed(found: Import, module: str) -> bool:
    room, rule = rule_of(module)
    top, _, target = found.target.partition(".")
    if top != "gan_lightning":
        if top in sys.stdlib_module_names or rule.others is None:
            return True
        return top in rule.others or (room in ("cli", "__main__", "") and not found.eager)
    if target == "" or target.startswith("__"):
        return True  # the package itself, which imports nothing: gan_lightning.__version__
    if target == "_torchvision":
        return room == ""  # the package's first import, which itself imports no torch
    if room in ("cli", "__main__", ""):
        return not found.eager or (room != "" and rule_of(target)[0] in ("runs", "cli"))
    if under(target, room):
        return rule_of(target)[0] == room or rule_of(target)[0] in rule.rooms
    return any(under(target, other) for other in rule.rooms)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports that the table forbids to a module, named without the package."""
    name = f"gan_lightning.{module}".rstrip(".")
    found = imports_of(source, name, is_package)
    return [f"line {i.line}: {i.target}" for i in found if not allowed(i, module)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_table(path):
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    assert violations(path.read_text(encoding="utf-8"), module, is_package) == []


def test_every_module_has_a_rule_of_its_own():
    rooms = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in FILES} - {"__init__"}
    assert rooms <= set(RULES)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses.x", "import lightning"),
        ("losses.x", "from gan_lightning import networks"),
        ("losses.x", "from ..optim import GANAdam"),
        ("losses.x", "def f():\n    import numpy"),
        ("optim.x", "if TYPE_CHECKING:\n    from gan_lightning.families.base import AbstractGAN"),
        ("regularizers.x", "from gan_lightning.losses import goodfellow"),
        ("networks.x", "from gan_lightning.families import base"),
        ("networks.layers.x", "from gan_lightning.networks.base import Network"),
        ("metrics.functional.x", "from gan_lightning.metrics import diversity"),
        ("metrics.functional.x", "import torchmetrics"),
        ("data.x", "from gan_lightning.runs import RunDirectory"),
        ("families.x", "from gan_lightning.networks.dcgan import dcgan"),
        ("families.base", "def f():\n    from gan_lightning.callbacks import SampleLogger"),
        ("families.base", "import importlib\nimportlib.import_module('gan_lightning.data')"),
        ("families.dcgan", "from gan_lightning.networks.mlp import mlp"),
        ("callbacks.x", "from gan_lightning.families.goodfellow import MinimaxGAN"),
        ("callbacks.x", "from gan_lightning.families import MinimaxGAN"),
        ("callbacks.x", "from gan_lightning.networks import Network"),
        ("runs", "import torch"),
        ("runs", "from gan_lightning.families.base import AbstractGAN"),
        ("cli", "import torch"),
        ("cli", "from gan_lightning import _cli"),
        ("", "import torch"),
        ("", "from gan_lightning.families import DCGAN"),
    ],
)
def test_what_the_table_forbids_is_found(module, source):
    assert len(violations(source, module, is_package=module == "")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses.x", "import math\nfrom torch.nn import functional\nfrom .base import y"),
        ("networks.x", "from gan_lightning.networks.layers import a\nfrom .base import Network"),
        ("metrics.x", "import torchmetrics\nfrom gan_lightning.metrics.functional import f"),
        ("families.x", "from gan_lightning import __version__, losses, regularizers"),
        ("families.dcgan", "from gan_lightning.families.base import AbstractGAN"),
        ("families.dcgan", "from gan_lightning.networks.dcgan import dcgan"),
        ("callbacks.x", "from gan_lightning.families.base import AbstractGAN"),
        ("callbacks.x", "from gan_lightning.metrics.functional.pairwise import f"),
        ("cli", "from gan_lightning import runs\ndef f():\n    from gan_lightning import _cli"),
        ("", "if TYPE_CHECKING:\n    from gan_lightning.families import DCGAN"),
    ],
)
def test_what_the_table_allows_passes(module, source):
    assert violations(source, module, is_package=module == "") == []


def test_importing_the_package_does_not_import_torch():
    code = "import sys, gan_lightning; print(*{'torch', 'lightning', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
