"""All processes go back, change and stop together."""

import os
import subprocess
import sys
from pathlib import Path

from support import differences, load

from gan_lightning.runs import RunDirectory

SCRIPT = str(Path(__file__).with_name("actions_run.py"))


def test_two_processes_go_back_and_stop_together(tmp_path):
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests.parent), str(tests)])
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run(
        [sys.executable, *torchrun, SCRIPT, str(tmp_path)],
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        timeout=120,
    )
    ranks = [load(tmp_path / f"rank-{rank}.pt") for rank in (0, 1)]
    assert differences(*ranks) == []
    # Back from 8 to 6; from then on two updates of D a step; stopped by the next look, at 10.
    assert (ranks[0]["used"], ranks[0]["step"], ranks[0]["updates"]) == (1, 10, 8 + 2 * 2)
    assert ranks[0]["steps"] == [3, 6, 9, 10]
    last = load(tmp_path / "checkpoints/last.ckpt")
    assert differences(dict(last["state_dict"]), dict(ranks[0]["state"])) == []
    assert RunDirectory(tmp_path).read_run()["outcome"] == "stopped: mode collapse (since step 8)"
