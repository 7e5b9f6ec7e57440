import json
import math

import pytest

from gan_lightning.callbacks.monitors.events import EventsFile
from gan_lightning.runs import RunDirectory


@pytest.fixture
def events(tmp_path):
    return EventsFile(tmp_path / "run" / "events.jsonl")


def steps(events):
    return [event["step"] for event in events.read()]


def filled(events, *at):
    for step in at:
        events.append({"step": step, "kind": "Übel\u2028 n"})
    return events


def test_events_are_lines_in_order(events):
    filled(events, 10, 20)
    text = events.path.read_text(encoding="utf-8")
    assert [json.loads(line)["step"] for line in text.split("\n")[:-1]] == [10, 20]
    assert steps(events) == [10, 20]
    assert events.read()[0]["kind"] == "Übel\u2028 n"


def test_numbers_that_json_cannot_hold_are_null(events):
    events.append(
        {"step": 1, "evidence": [{"value": math.nan, "threshold": -math.inf, "was": 0.5}]}
    )
    assert "NaN" not in events.path.read_text()
    assert events.read()[0]["evidence"] == [{"value": None, "threshold": None, "was": 0.5}]


@pytest.mark.parametrize("torn", ['{"step": 30, "ki', '{"step": 30}', "x"])
def test_a_torn_last_line_is_passed_over_and_repaired(events, torn):
    filled(events, 10, 20)
    whole = events.path.read_bytes()
    events.path.write_bytes(whole + torn.encode())
    assert steps(events) == [10, 20]
    assert [e["step"] for e in RunDirectory(events.path.parent).read_events()] == [10, 20]
    filled(events, 40)
    assert steps(events) == [10, 20, 40]
    assert events.path.read_bytes().startswith(whole)


def test_a_file_with_nothing_but_a_torn_line(events):
    events.path.parent.mkdir()
    events.path.write_text('{"st')
    assert events.read() == []
    filled(events, 5)
    assert steps(events) == [5]


@pytest.mark.parametrize("line", ["no json", "[1, 2]", "3", ""])
def test_another_broken_line_is_refused(events, line):
    filled(events, 10)
    with open(events.path, "a") as file:
        file.write(line + "\n")
    filled(events, 20)
    with pytest.raises(ValueError, match=r"events\.jsonl' must hold a JSON object a line.* line 2"):
        events.read()
    with pytest.raises(ValueError, match="line 2"):
        events.truncate_after(0)


def test_a_resume_drops_what_came_later(events):
    filled(events, 10, 20, 15, 30)
    events.append({"note": "no step"})
    assert [e["step"] for e in events.truncate_after(15)] == [20, 30]
    assert [e.get("step") for e in events.read()] == [10, 15, None]
    assert [file.name for file in events.path.parent.iterdir()] == ["events.jsonl"]
    before = events.path.stat().st_mtime_ns
    assert events.truncate_after(15) == []
    assert events.path.stat().st_mtime_ns == before


def test_a_run_without_events_has_no_file(events):
    assert events.truncate_after(0) == []
    assert not events.path.parent.exists()
    filled(events, 1)
    events.truncate_after(0)
    assert not events.path.exists()


def test_a_run_directory_reads_them(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.read_events() == []
    filled(EventsFile(run.events), 7)
    assert [event["step"] for event in run.read_events()] == [7]
    with pytest.raises(FileNotFoundError, match=r"must be an existing folder, got .*nowhere"):
        RunDirectory(tmp_path / "nowhere").read_events()
