import csv
import json
import math
import os

import pytest
import yaml

from gan_lightning.runs import MetricsFile, RunDirectory, write_atomically


@pytest.fixture
def metrics(tmp_path):
    return MetricsFile(tmp_path / "metrics.csv")


def text(metrics):
    return metrics.path.read_text()


def test_rows_are_appended(metrics):
    metrics.append(1, {"a": 0.5, "b": 2})
    metrics.append(3, {"a": -1.25e-7, "b": 1e30})
    assert text(metrics) == "step,a,b\n1,0.5,2\n3,-1.25e-07,1e+30\n"
    assert metrics.read() == [
        {"step": 1, "a": 0.5, "b": 2},
        {"step": 3, "a": -1.25e-7, "b": 1e30},
    ]


def test_values_are_read_back_exactly(metrics):
    values = [0.1, 1 / 3, math.pi * 1e-300, 2.0**53 + 2, -0.1 - 0.2]
    for step, value in enumerate(values):
        metrics.append(step, {"a": value})
    assert [row["a"] for row in metrics.read()] == values


def test_values_of_one_step_make_one_row(metrics):
    metrics.append(1, {"a": 1.5})
    metrics.append(2, {"a": 2.5, "b": 3.5})
    metrics.append(2, {"a": 7.5})
    metrics.append(2, {"c": 4.5})
    assert text(metrics) == "step,a,b,c\n1,1.5,,\n2,7.5,3.5,4.5\n"


def test_a_shorter_value_leaves_nothing_of_the_longer_one(metrics):
    metrics.append(1, {"a": 0.123456789})
    metrics.append(1, {"a": 5})
    metrics.append(2, {"a": 6})
    assert text(metrics) == "step,a\n1,5\n2,6\n"


def test_a_value_for_an_earlier_step_goes_into_its_row(metrics):
    metrics.append(1, {"a": 1})
    metrics.append(3, {"a": 3})
    metrics.append(1, {"a": 2})
    metrics.append(2, {"a": 9})
    assert text(metrics) == "step,a\n1,2\n2,9\n3,3\n"


def test_a_new_column_widens_the_header(metrics):
    metrics.append(1, {"a": 1})
    metrics.append(2, {"b, quoted": 2})
    assert text(metrics) == 'step,a,"b, quoted"\n1,1,\n2,,2\n'
    assert metrics.read() == [{"step": 1, "a": 1}, {"step": 2, "b, quoted": 2}]


def test_what_is_not_finite_is_kept(metrics):
    metrics.append(1, {"a": math.nan, "b": math.inf, "c": -math.inf})
    assert text(metrics) == "step,a,b,c\n1,nan,inf,-inf\n"
    row = metrics.read()[0]
    assert math.isnan(row["a"])
    assert (row["b"], row["c"]) == (math.inf, -math.inf)


def test_truncation_drops_later_steps_only(metrics):
    for step in (1, 2, 3, 4):
        metrics.append(step, {"a": step})
    metrics.truncate_after(2)
    assert text(metrics) == "step,a\n1,1\n2,2\n"
    metrics.append(3, {"a": 30})
    metrics.truncate_after(99)
    assert text(metrics) == "step,a\n1,1\n2,2\n3,30\n"
    metrics.truncate_after(0)
    assert text(metrics) == "step,a\n"
    metrics.append(1, {"a": 5})
    assert text(metrics) == "step,a\n1,5\n"


def test_another_process_goes_on_with_the_file(metrics):
    metrics.append(1, {"a": 1})
    later = MetricsFile(metrics.path)
    later.append(1, {"b": 5})
    later.append(2, {"a": 2})
    assert text(metrics) == "step,a,b\n1,1,5\n2,2,\n"


@pytest.mark.parametrize("torn", ["3,0.", "3", "3,", '3,"', "3,1,2\n", "3,1.2.3\n", ",1\n"])
def test_a_torn_last_line_is_passed_over_and_then_dropped(metrics, torn):
    metrics.append(1, {"a": 1})
    metrics.append(2, {"a": 2})
    whole = text(metrics)
    metrics.path.write_text(whole + torn)
    again = MetricsFile(metrics.path)
    assert again.read() == [{"step": 1, "a": 1}, {"step": 2, "a": 2}]
    again.append(3, {"a": 3})
    assert text(metrics) == whole + "3,3\n"


def test_a_torn_header_is_an_empty_file(metrics):
    metrics.path.write_text("step,a")
    assert metrics.read() == []
    metrics.append(1, {"b": 1})
    assert text(metrics) == "step,b\n1,1\n"


def test_a_corrupt_line_in_the_middle_is_named(metrics):
    metrics.path.write_text("step,a\n1,1\n2,what\n3,3\n")
    with pytest.raises(
        ValueError, match=r"metrics\.csv' must hold 2 numbers a line, got '2,what' in line 3"
    ):
        metrics.read()


def test_a_foreign_file_is_refused(metrics):
    metrics.path.write_text("epoch,a\n1,1\n")
    with pytest.raises(ValueError, match="must begin with the column `step`, got 'epoch,a'"):
        metrics.read()


def test_the_csv_module_reads_it(metrics):
    metrics.append(1, {"loss/generator": 0.25})
    metrics.append(2, {"diversity": 0.5})
    with open(metrics.path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"step": "2", "loss/generator": "", "diversity": "0.5"}


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "run.json"
    write_atomically(file, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    assert file.read_text() == "old"


def test_run_json_round_trip(tmp_path):
    run = RunDirectory(tmp_path / "deep" / "run")
    run.write_run({"outcome": "running", "scores": {"fid": math.nan, "k": (1, 2)}, "steps": 3})
    assert run.read_run() == {
        "outcome": "running",
        "scores": {"fid": None, "k": [1, 2]},
        "steps": 3,
    }
    assert json.loads(run.run_json.read_text())["steps"] == 3


def test_config_round_trip(tmp_path):
    run = RunDirectory(tmp_path)
    run.config.write_text(yaml.safe_dump({"model": {"class_path": "x.Y"}}))
    assert run.read_config() == {"model": {"class_path": "x.Y"}}


def test_metrics_of_a_run(tmp_path):
    run = RunDirectory(tmp_path)
    MetricsFile(run.metrics).append(4, {"a": 0.5})
    assert run.read_metrics() == [{"step": 4, "a": 0.5}]


@pytest.mark.parametrize("method", ["read_config", "read_run", "read_metrics"])
def test_a_missing_folder_is_named(tmp_path, method):
    run = RunDirectory(tmp_path / "nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"`run_dir` must be an existing folder, got '.*nowhere'"
    ):
        getattr(run, method)()


@pytest.mark.parametrize(
    ("method", "name"),
    [("read_config", "config.yaml"), ("read_run", "run.json"), ("read_metrics", "metrics.csv")],
)
def test_a_missing_file_is_named(tmp_path, method, name):
    with pytest.raises(FileNotFoundError, match=rf"`run_dir` must hold a {name}, got .* has none"):
        getattr(RunDirectory(tmp_path), method)()


def test_corrupt_files_are_named(tmp_path):
    run = RunDirectory(tmp_path)
    run.run_json.write_text('{"family": ')
    with pytest.raises(ValueError, match=r"run\.json' must be valid JSON, got .*line 1 column"):
        run.read_run()
    run.run_json.write_text("[1]")
    with pytest.raises(ValueError, match=r"run\.json' must hold a mapping, got list"):
        run.read_run()
    run.config.write_text("a: [1\nb: 2")
    with pytest.raises(ValueError, match=r"config\.yaml' must be valid YAML, got "):
        run.read_config()
    run.config.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ValueError, match=r"config\.yaml' must be UTF-8 text"):
        run.read_config()
