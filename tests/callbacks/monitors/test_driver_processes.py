"""One look and one verdict on two processes, and no deadlock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import differences, load

SCRIPT = Path(__file__).with_name("scripted.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What both processes end with, by case."""
    folder = tmp_path_factory.mktemp("monitors")
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests.parent), str(tests)])
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(SCRIPT), str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [load(folder / f"rank{rank}.pt") for rank in (0, 1)]


def test_one_verdict_stops_all_processes_after_the_same_step(ranks):
    for rank in ranks:
        assert rank["stop"]["step"] == 6
        assert rank["stop"]["error"] == ""
    assert ranks[0]["stop"]["verdicts"] == ranks[1]["stop"]["verdicts"]
    ((verdict,),) = [ranks[0]["stop"]["verdicts"]]
    assert verdict["step"] == 6
    assert verdict["action"].startswith("stopped")
    assert differences(ranks[0]["stop"]["state"], ranks[1]["stop"]["state"]) == []


def test_only_the_first_process_looks(ranks):
    assert ranks[0]["stop"]["looks"] == [2, 4, 6]
    assert ranks[1]["stop"]["looks"] == []


def test_what_fails_on_the_first_process_is_raised_on_all(ranks):
    """An exception that cannot be pickled among them."""
    for case in ("fails", "fails, not picklable"):
        assert [rank[case]["step"] for rank in ranks] == [4, 4]
    assert ranks[0]["fails"]["error"] == "ZeroDivisionError: division by zero"
    assert ranks[0]["fails, not picklable"]["error"] == "Odd: 1 and 2"
    assert ranks[1]["fails"]["error"] == (
        "RuntimeError: A look at the players failed on the first process: "
        "ZeroDivisionError: division by zero"
    )
    assert ranks[1]["fails, not picklable"]["error"].endswith("first process: Odd: 1 and 2")


def test_all_monitors_by_default_on_two_processes(ranks):
    assert [rank["defaults"]["step"] for rank in ranks] == [45, 45]
    assert [rank["defaults"]["error"] for rank in ranks] == ["", ""]
    assert ranks[0]["defaults"]["looks"] == [20, 40]
    assert ranks[0]["defaults"]["verdicts"] == ranks[1]["defaults"]["verdicts"]
