"""Execute the notebooks and keep what they show.

    python notebooks/execute.py                  # all of them, in full
    python notebooks/execute.py failure_modes    # one

Each one runs in a temporary folder, so that it leaves nothing behind. What would name the machine
is removed before the file is written.

A notebook says how long its runs are in its cell with the tag `parameters`, in lines such as
`RING_STEPS = 2000`. The tests execute it with all of these numbers made small.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).parent
TIMEOUT = 600  # seconds a cell

_STEPS = re.compile(r"^(\w*STEPS) = [\d_]+", re.MULTILINE)
_ABSOLUTE = re.compile(r"(?<![\w.:/<~])/[\w.+-]+/[\w.+-]+|\b[A-Za-z]:\\\w+|~/\w+")
_FOLDERS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and the like


def execute(notebook: NotebookNode, timeout: int = TIMEOUT) -> NotebookNode:
    """Run all cells in a fresh process and an empty folder.

    Args:
        notebook: What is to be run; it is filled with the outputs.
        timeout: Seconds after which a cell is given up.

    Returns:
        The same notebook.

    Raises:
        CellExecutionError: When a cell raises; its text holds the traceback.
        CellTimeoutError: When a cell takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = dict.fromkeys(_FOLDERS, folder)
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],  # that it talks unencrypted to this machine
        )
        with patch.dict(os.environ, own):  # of this process as well: it looks for kernels
            client.execute()
    return notebook


def shortened(notebook: NotebookNode, steps: int) -> NotebookNode:
    """Make every number of steps in the cell with the tag `parameters` small.

    Args:
        notebook: What is to be shortened, in place.
        steps: What each `...STEPS` becomes.

    Returns:
        The same notebook.

    Raises:
        ValueError: When there is not exactly one such cell, or no such number in it.
    """
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"A notebook must have one cell tagged `parameters`, got {len(cells)}.")
    cells[0].source, found = _STEPS.subn(rf"\1 = {steps}", cells[0].source)
    if not found:
        raise ValueError("The cell tagged `parameters` must have a line such as `STEPS = 2000`.")
    return notebook


def stripped(notebook: NotebookNode) -> NotebookNode:
    """Remove what names the machine and what differs from run to run without meaning anything."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):
            output.pop("metadata", None)
            if output.output_type in ("display_data", "execute_result"):
                output.metadata = nbformat.from_dict({})
            if output.output_type == "stream":
                output.text = _CONTROL.sub("", output.text)
    return notebook


def paths(notebook: NotebookNode) -> list[str]:
    """Absolute paths in what is written in a notebook or was shown by it."""
    return [found for text in _texts(notebook) for found in _ABSOLUTE.findall(text)]


def _texts(notebook: NotebookNode) -> Iterator[str]:
    yield repr(dict(notebook.metadata))
    for cell in notebook.cells:
        yield cell.source
        yield repr(dict(cell.metadata))
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            yield "\n".join(output.get("traceback", []))
            data: dict[str, Any] = output.get("data", {})
            yield from (content for kind, content in data.items() if kind.startswith("text/"))


def main() -> None:
    """Execute in full what is asked for, and write it back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="Which ones, without .ipynb; all by default.")
    names = parser.parse_args().names
    for path in [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb")):
        print(f"{path.name} ...", flush=True)
        notebook = stripped(execute(nbformat.read(path, as_version=4)))
        if found := paths(notebook):
            raise SystemExit(f"{path.name} shows paths of this machine: {', '.join(found)}.")
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
