"""Every notebook runs in small, and the committed one shows what it says."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebooks.execute import execute, paths, shortened, stripped

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = 40  # steps: two looks of the monitors
LARGEST = 1_000_000  # bytes


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    return sum("image/png" in o.get("data", {}) for cell in code(notebook) for o in cell.outputs)


def streamed(notebook):
    """What was printed, verdicts and warnings included."""
    return "".join(output.get("text", "") for cell in code(notebook) for output in cell.outputs)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_notebook_runs_in_small(path, monkeypatch):
    # In so few steps monitors name nothing, and say so.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:`every_n_steps` should be smaller")
    before = sorted(path.parent.iterdir())
    notebook = execute(shortened(read(path), SMALL), timeout=120)
    assert [cell.execution_count for cell in code(notebook)] == [
        i + 1 for i in range(len(code(notebook)))
    ]
    assert pictures(notebook) >= 1
    assert "Warning" not in streamed(notebook)
    assert paths(notebook) == []
    assert sorted(path.parent.iterdir()) == before


def test_the_committed_outputs_are_whole(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code(notebook)] == [
        i + 1 for i in range(len(code(notebook)))
    ]
    shown = {output.output_type for cell in code(notebook) for output in cell.outputs}
    assert shown >= {"stream", "display_data"}
    assert "error" not in shown
    assert "Warning" not in streamed(notebook)
    assert pictures(notebook) >= 2
    assert path.stat().st_size < LARGEST


def test_the_committed_file_does_not_name_the_machine_that_made_it(path):
    notebook = read(path)
    assert paths(notebook) == []
    assert stripped(read(path)) == notebook


def test_links_of_a_notebook_point_to_something(path):
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    targets = re.findall(r"\]\((?!https?:)([^()#\s]+)", "\n".join(texts))
    assert [target for target in targets if not (path.parent / target).exists()] == []


# --- the machinery itself -------------------------------------------------------------------------


def notebook_of(*sources):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def test_a_cell_that_raises_is_noticed():
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(notebook_of("1 / 0"), timeout=60)


def test_cells_run_in_a_folder_of_their_own_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    before = os.environ.copy()
    source = "import os, pathlib; pathlib.Path('litter').touch(); print(os.getcwd(), os.listdir())"
    (output,) = execute(notebook_of(source), timeout=60).cells[0].outputs
    folder, listing = output.text.strip().split(" ", 1)
    assert "'litter'" in listing
    assert not Path(folder).exists()
    assert folder != str(Path.cwd())
    assert os.environ.copy() == before
    assert list(tmp_path.iterdir()) == []


def test_steps_are_made_small_in_the_parameters_cell_alone():
    notebook = notebook_of("A_STEPS = 7", "A_STEPS = 2_000  # long\nRATE = 3\nSTEPS = 5")
    notebook.cells[1].metadata.tags = ["parameters"]
    shortened(notebook, 9)
    assert notebook.cells[0].source == "A_STEPS = 7"
    assert notebook.cells[1].source == "A_STEPS = 9  # long\nRATE = 3\nSTEPS = 9"


def test_a_notebook_that_cannot_be_made_small_is_refused():
    with pytest.raises(ValueError, match=r"one cell tagged `parameters`, got 0\."):
        shortened(notebook_of("STEPS = 3"), 1)
    notebook = notebook_of("RATE = 3")
    notebook.cells[0].metadata.tags = ["parameters"]
    with pytest.raises(ValueError, match="must have a line such as `STEPS = 2000`"):
        shortened(notebook, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a warning in /home/me/x.py:3", ["/home/me"]),
        ("'/tmp/abc'", ["/tmp/abc"]),
        (r"C:\Users\me", [r"C:\Users"]),
        ("saved to ~/runs", ["~/runs"]),
        ("loss/generator and 1/2/3, a/b/c; https://example.org/a/b </td></tr> runs/a/b", []),
        ("rate 3 / 4", []),
    ],
)
def test_paths_are_found_wherever_they_stand(text, found):
    cell = new_code_cell("x")
    assert paths(new_notebook(cells=[new_markdown_cell(text)])) == found
    for output in (
        new_output("stream", text=text),
        new_output("display_data", data={"text/plain": text, "image/png": "/9j/4AA/x"}),
        new_output("error", ename="E", evalue="", traceback=[text]),
    ):
        cell.outputs = [output]
        assert paths(new_notebook(cells=[cell])) == found


def test_paths_are_found_in_metadata():
    assert paths(new_notebook(metadata={"from": "/home/me/x"})) == ["/home/me"]
    cell = new_code_cell("x", metadata={"from": "/home/me/x"})
    assert paths(new_notebook(cells=[cell])) == ["/home/me"]


def test_what_names_the_machine_is_stripped():
    notebook = notebook_of("x")
    notebook.metadata = nbformat.from_dict({"papermill": "/home/me", "kernelspec": {"name": "me"}})
    cell = notebook.cells[0]
    cell.metadata = nbformat.from_dict({"execution": {"t": "2020"}, "tags": ["parameters"]})
    cell.outputs = [
        new_output("stream", text="\x1b[31mred\x1b[0m"),
        new_output("display_data", data={"text/plain": "x"}, metadata={"me": 1}),
    ]
    stripped(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert cell.metadata == {"tags": ["parameters"]}
    assert cell.outputs[0].text == "red"
    assert cell.outputs[1].metadata == {}
    nbformat.validate(notebook)
