"""One process, two and three with uneven shares and an empty one: the same numbers everywhere."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[tuple[int, int], dict[str, float]]:
    folder = tmp_path_factory.mktemp("processes")
    script = Path(__file__).with_name("processes_run.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    places = [(world, rank) for world in (1, 2, 3) for rank in range(world)]
    return {(w, r): torch.load(folder / f"{w}-{r}.pt") for w, r in places}


@pytest.mark.parametrize(("world", "rank"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_every_rank_of_any_number_has_the_values_of_one_process(found, world, rank):
    one = found[1, 0]
    assert len(one) > 25
    assert {"PPL", "second C_T-points", "second support-points"} <= one.keys()
    assert found[world, rank] == {k: pytest.approx(v, rel=1e-9, abs=1e-12) for k, v in one.items()}


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_agree_to_the_last_bit(found, world):
    assert all(found[world, rank] == found[world, 0] for rank in range(1, world))
