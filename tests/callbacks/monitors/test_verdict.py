import json
import math

import pytest

from gan_lightning.callbacks.monitors.verdict import Evidence, Verdict, number
from gan_lightning.runs import plain_json

EVIDENCE = (
    Evidence("coverage", 0.3149, 0.5, False, 0.884, "coverage of the data"),
    Evidence("pairwise", 0.22, 0.4, False, None, "pairwise distance"),
    Evidence("right", 0.999, 0.98, True, 0.7),
    Evidence("gradient", 12.0, 3.0, True, 0.7, "never shown"),
)


def verdict(**changes):
    content = {
        "kind": "mode collapse",
        "since": 1600,
        "evidence": EVIDENCE,
        "confidence": 1.0,
        "note": "3 of 10 classes left",
        "step": 1840,
        "monitor": "ModeCollapseMonitor",
        "advice": ("pack", "lower the generator's learning rate"),
        "action": "stopped; last healthy checkpoint step=1500.ckpt",
    }
    return Verdict(**content | changes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0349, "-0.035"),
        (1.0, "1"),
        (9.94, "9.9"),
        (9.96, "9.96"),
        (99.96, "100"),
        (-123.4, "-123"),
        (45_678.0, "45,700"),
        (999_999.0, "1,000,000"),
        (1e6, "1e6"),
        (2.46e-7, "2.5e-7"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize("exponent", range(-8, 9))
def test_a_short_number_is_close(exponent):
    value = 5.4321 * 10.0**exponent
    text = number(value)
    assert len(text) <= 10
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.05)


def test_what_a_person_reads():
    first, *rest = str(verdict(evidence=EVIDENCE[:2])).splitlines()
    head = "step 1,840  mode collapse (since step 1,600)   "
    assert first == f"{head}coverage of the data 0.31 (was 0.88, bad below 0.5);"
    assert [line.removeprefix(" " * 12) for line in rest] == [
        "pairwise distance 0.22 (bad below 0.4); 3 of 10 classes left.",
        "Advice: pack; lower the generator's learning rate.",
        "Action: stopped; last healthy checkpoint step=1500.ckpt.",
    ]


def test_three_signals_are_enough():
    text = str(verdict())
    assert "right 1 (was 0.7, bad above 0.98)" in text
    assert "never shown" not in text


def test_lines_are_wrapped_with_a_hanging_indent():
    advice = tuple(f"try this {i} and `keep-this-together-{i}`" for i in range(20))
    first, *rest = str(verdict(advice=advice)).splitlines()
    assert first.startswith("step 1,840  mode collapse")
    assert all(len(line) <= 100 for line in (first, *rest))
    assert all(line.startswith(" " * 12) and line[12] != " " for line in rest)
    assert all(f"`keep-this-together-{i}`" in " ".join(rest) for i in range(20))


@pytest.mark.parametrize("action", ["", "none"])
def test_what_there_is_not_is_not_said(action):
    bare = verdict(evidence=(), note="", advice=(), action=action)
    assert str(bare) == "step 1,840  mode collapse (since step 1,600)"


def test_a_recovery_is_one_line():
    text = str(verdict(recovered=True, step=2400))
    assert text == "step 2,400  recovered from mode collapse (named at step 1,600)"


def test_the_end_of_a_sentence_is_not_doubled():
    assert "said..." not in str(verdict(note="said."))
    assert str(verdict(action="done.")).endswith("Action: done.")


@pytest.mark.parametrize("recovered", [False, True])
def test_a_verdict_survives_json(recovered):
    ours = verdict(recovered=recovered)
    assert Verdict.from_dict(json.loads(json.dumps(ours.as_dict()))) == ours


def test_a_line_of_the_file_is_read_back():
    lost = verdict(evidence=(Evidence("pairwise", math.nan, math.inf, True, math.nan),))
    line = plain_json({"time": "now", **lost.as_dict(), "picture": None})
    (evidence,) = Verdict.from_dict(json.loads(json.dumps(line))).evidence
    assert math.isnan(evidence.value)
    assert math.isnan(evidence.threshold)
    assert evidence.was is None
    assert (evidence.signal, evidence.above) == ("pairwise", True)
