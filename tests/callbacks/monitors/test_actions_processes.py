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
    # From 4 to the beginning, from 20 to 18, which was seen healthy; stopped by the next look. From
    # 4 on there are two updates of D a step.
    assert ranks[0]["did"] == [
        "rolled back to the beginning, untrained.ckpt (try 1 of 2); discriminator steps 1 -> 2",
        "rolled back to step=18.ckpt (try 2 of 2); discriminator steps 2 -> 2",
        "stopped after 2 rollbacks; last healthy checkpoint step=18.ckpt",
    ]
    assert (ranks[0]["used"], ranks[0]["step"], ranks[0]["updates"]) == (2, 22, 4 + 2 * 18)
    assert ranks[0]["steps"] == [6, 9, 12, 15, 18, 21, 22]  # 3 is of the past that is left
    last = load(tmp_path / "checkpoints/last.ckpt")
    assert differences(dict(last["state_dict"]), dict(ranks[0]["state"])) == []
    assert RunDirectory(tmp_path).read_run()["outcome"] == "stopped: mode collapse (since step 22)"
