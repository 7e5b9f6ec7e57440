"""What a run directory holds, reading and writing it.

Nothing here imports torch, so that a command can look into a run at once.
"""

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import yaml

__all__ = ["MetricsFile", "RunDirectory", "parse_events", "plain_json", "write_atomically"]

_STEP = "step"


def write_atomically(path: Path, data: str | bytes) -> None:
    """Replace a file whole: a reader, or a crash, sees the old content or the new one.

    The temporary file lies beside its target: on another file system a rename would be a copy,
    which a crash can leave half done.

    Args:
        path: the file; its folder is made if it is missing.
        data: the new content, text as UTF-8.

    Raises:
        OSError: if the file cannot be written; the old file is then still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@final
class RunDirectory:
    """The paths of a run and its small files. The folder is made when something is written.

    Args:
        path: the folder.

    Attributes:
        config: the configuration, re-runnable.
        run_json: what was run and how it ended.
        metrics: one row per logging step.
        samples: the folder of sample grids, step_000500.png and so on.
        checkpoints: the folder of step=500.ckpt, last.ckpt and crash.ckpt.
        last_checkpoint: the newest consistent checkpoint.
        events: the monitors' verdicts, one JSON object a line.
        losses_plot: the curves of the metrics.

    Example:
        >>> RunDirectory("runs/digits").last_checkpoint.as_posix()
        'runs/digits/checkpoints/last.ckpt'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.run_json = self.path / "run.json"
        self.metrics = self.path / "metrics.csv"
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self.last_checkpoint = self.checkpoints / "last.ckpt"
        self.events = self.path / "events.jsonl"
        self.losses_plot = self.path / "losses.png"

    def read_config(self) -> dict[str, Any]:
        """Read ``config.yaml``.

        Raises:
            FileNotFoundError: if there is no such folder, or no config.yaml in it.
            ValueError: if the file is not a YAML mapping.
        """
        text = self._read(self.config)
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"'{self.config}' must be valid YAML, got {reason}.") from error
        return _mapping(self.config, content)

    def read_run(self) -> dict[str, Any]:
        """Read ``run.json``.

        Returns:
            What the run recorder wrote last.

        Raises:
            FileNotFoundError: if there is no such folder, or no run.json in it.
            ValueError: if the file is not a JSON object.
        """
        text = self._read(self.run_json)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"'{self.run_json}' must be valid JSON, got {error}.") from error
        return _mapping(self.run_json, content)

    def write_run(self, content: Mapping[str, Any]) -> None:
        """Replace ``run.json`` atomically.

        Args:
            content: plain types; numbers that JSON cannot hold (NaN, infinities) become ``null``.
        """
        text = json.dumps(plain_json(content), indent=2, allow_nan=False)
        write_atomically(self.run_json, text + "\n")

    def read_metrics(self) -> list[dict[str, float]]:
        """Read ``metrics.csv``.

        Returns:
            One mapping per row, in the file's order; a metric without a value at a step is left
            out.

        Raises:
            FileNotFoundError: if there is no such folder, or no metrics.csv in it.
            ValueError: if a line other than a torn last one does not fit the header.
        """
        self._require(self.metrics)
        return MetricsFile(self.metrics).read()

    def read_events(self) -> list[dict[str, Any]]:
        """Read ``events.jsonl``.

        Returns:
            What the monitors said, oldest first; nothing of a run about which they said nothing.

        Raises:
            FileNotFoundError: if there is no such folder.
            ValueError: if a line other than a torn last one is not a JSON object.
        """
        if self.path.is_dir() and not self.events.exists():
            return []
        return parse_events(self.events, self._read(self.events))

    def _read(self, file: Path) -> str:
        self._require(file)
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"'{file}' must be UTF-8 text, got other bytes.") from error

    def _require(self, file: Path) -> None:
        if not self.path.is_dir():
            raise FileNotFoundError(f"`run_dir` must be an existing folder, got '{self.path}'.")
        if not file.is_file():
            raise FileNotFoundError(
                f"`run_dir` must hold a {file.name}, got '{self.path}', which has none."
            )


@final
class MetricsFile:
    """A CSV file of numbers by step, to which rows are appended.

    The columns are ``step`` and then the metrics in the order of their first appearance; a missing
    value is an empty cell, NaN and the infinities are ``nan``, ``inf`` and ``-inf``. Values given
    for one step make one row. A last line torn by a crash is passed over when reading and dropped
    at the next append.

    Args:
        path: the file; it is made at the first append.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._columns: list[str] | None = None  # None: the file has not been looked at
        self._last: dict[str, float] = {}
        self._last_offset = 0  # where the line of the last row begins

    def append(self, step: int, row: Mapping[str, float]) -> None:
        """Add the values of a step; values for a step that is there already go into its row."""
        values: dict[str, float] = {_STEP: step, **row}
        if self._columns is None:
            self._look()
        columns = self._columns or []
        last_step = self._last.get(_STEP, -math.inf)
        if step < last_step or any(name not in columns for name in values):
            self._rewrite(_merged(self.read() if columns else [], values))
        elif step == last_step:
            self._write_last({**self._last, **values}, self._last_offset)
        else:
            self._write_last(values, self.path.stat().st_size)

    def truncate_after(self, step: int) -> None:
        """Drop the rows after ``step``, from which a run is resumed."""
        if self.path.exists():
            self._rewrite([row for row in self.read() if row[_STEP] <= step])

    def read(self) -> list[dict[str, float]]:
        """Read all rows.

        Returns:
            One mapping per row; missing values are left out.

        Raises:
            ValueError: if a line other than a torn last one does not fit the header.
        """
        header, lines = self._lines()
        rows = []
        for number, line in enumerate(lines, start=2):
            row = _parse(header, line)
            if row is not None:
                rows.append(row)
            elif number < len(lines) + 1:  # only the last line can be torn
                raise ValueError(
                    f"'{self.path}' must hold {len(header)} numbers a line, got {line.strip()!r} "
                    f"in line {number}."
                )
        return rows

    def _lines(self) -> tuple[list[str], list[str]]:
        """The header and the complete lines after it."""
        text = self.path.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines.pop()
        if not lines:
            return [], []
        header = next(csv.reader(lines[:1]))
        if header[:1] != [_STEP]:
            raise ValueError(
                f"'{self.path}' must begin with the column `step`, got {lines[0].strip()!r}."
            )
        return header, lines[1:]

    def _look(self) -> None:
        """Learn the columns and the last row of a file that is there; drop its torn last line."""
        self._columns = []
        if self.path.exists():
            self._rewrite(self.read())

    def _rewrite(self, rows: list[dict[str, float]]) -> None:
        header = (self._columns or self._lines()[0]) if self.path.exists() else []
        columns = list(dict.fromkeys([_STEP, *header, *(name for row in rows for name in row)]))
        lines = [_line(columns), *(_line(_cells(columns, row)) for row in rows)]
        write_atomically(self.path, "".join(lines))
        self._columns = columns
        self._last = rows[-1] if rows else {}
        self._last_offset = sum(len(line.encode()) for line in lines[:-1])

    def _write_last(self, row: dict[str, float], offset: int) -> None:
        data = _line(_cells(self._columns or [], row)).encode()
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)
            file.truncate()
        self._last, self._last_offset = row, offset


def _merged(rows: list[dict[str, float]], values: dict[str, float]) -> list[dict[str, float]]:
    """``rows``, sorted by step, with ``values`` in the row of their step."""
    by_step = {row[_STEP]: row for row in rows}
    by_step[values[_STEP]] = {**by_step.get(values[_STEP], {}), **values}
    return [by_step[step] for step in sorted(by_step)]


def _cells(columns: list[str], row: Mapping[str, float]) -> list[str]:
    return [_cell(row[name]) if name in row else "" for name in columns]


def _cell(value: float) -> str:
    number = float(value)  # also of a tensor with one element
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _parse(header: list[str], line: str) -> dict[str, float] | None:
    cells = next(csv.reader([line]), [])
    if len(cells) != len(header) or not cells[0]:
        return None
    try:
        return {name: float(cell) for name, cell in zip(header, cells, strict=True) if cell}
    except ValueError:
        return None


def _mapping(file: Path, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"'{file}' must hold a mapping, got {type(content).__name__}.")
    return content


def parse_events(file: Path, text: str) -> list[dict[str, Any]]:
    """Read the lines of an ``events.jsonl``.

    Args:
        file: where the text is from, for the sentence of an error.
        text: one JSON object a line; a last line without an end, torn by a crash, is passed over.

    Raises:
        ValueError: if a whole line is not a JSON object.
    """
    events = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            raise ValueError(
                f"'{file}' must hold a JSON object a line, got {line[:80]!r} in line {number}."
            )
        events.append(event)
    return events


def plain_json(content: Any) -> Any:
    """Copy plain types as JSON can hold them: NaN and the infinities become None."""
    if isinstance(content, Mapping):
        return {str(key): plain_json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain_json(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
