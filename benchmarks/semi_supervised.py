"""Do unlabelled digits help? SemiSupervisedGAN against its own discriminator, 100 labels each.

For each of 10 draws of 100 labels (10 of each class) `digits/semi_supervised` is trained through
the command line as it stands. The baseline is the same discriminator with the same optimizer, batch
of labelled samples and weight of the cross-entropy, trained on those 100 labels alone. How long
it is trained is chosen in its favour, on the digits that judge both: the number of updates with the
best mean over the draws, and in a line of its own the best one of every single draw, which nobody
could know. A support vector machine on the pixels of the same 100 digits stands beside them. The
errors are those on the 359 digits that the recipe holds out, the same ones for everybody.

    python benchmarks/semi_supervised.py            # writes results/semi_supervised.md
    python benchmarks/semi_supervised.py --quick    # a few steps, two draws; writes nothing

What is finished is kept under runs/benchmark-semi-supervised.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning

# isort: split

import torch
from machine import describe
from semi_supervised_tables import table
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from trained import QUICK, Failed, train

from gan_lightning.data import Digits, SemiSupervised
from gan_lightning.data.base import to_unit_range
from gan_lightning.networks import DCGANDiscriminator
from gan_lightning.runs import RunDirectory, write_atomically

RECIPE = "digits/semi_supervised"
UPDATES = (25, 50, 100, 200, 400, 800, 1400, 2000)  # the recipe trains its D 2,000 times
RESULTS = Path(__file__).parent / "results" / "semi_supervised.md"
Samples = tuple[Tensor, Tensor]


def digits(draw: int) -> tuple[Samples, Samples]:
    """The 100 labelled digits of a draw and the held-out ones: pixels in [-1, 1] and classes."""
    inner = Digits(image_size=16, batch_size=32)
    data = SemiSupervised(inner, labels=100, label_seed=draw, validation=0.2)
    samples = data.read()
    everything = [torch.arange(len(samples))]
    data.setup()
    parts = [list(samples.batches(iter(everything))), list(data.val_dataloader())]
    labelled, held_out = (_labelled([(b[0], b[1]) for b in part]) for part in parts)
    return labelled, held_out


def _labelled(batches: list[Samples]) -> Samples:
    x, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    known = labels >= 0
    return to_unit_range(x[known], torch.float32), labels[known]


def errors(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Share of wrong answers, in evaluation mode."""
    was = network.training
    network.eval()
    with torch.no_grad():
        wrong = float((network(x).argmax(1) != labels).double().mean())
    network.train(was)
    return wrong


def baseline(
    run_dir: Path, labelled: Samples, held_out: Samples, seed: int, updates: tuple[int, ...]
) -> dict[str, float]:
    """Errors of the run's discriminator, built anew and trained on the labels alone."""
    model: Any = gan_lightning.load(run_dir)
    config = RunDirectory(run_dir).read_config()
    arguments = config["model"]["init_args"]["discriminator"]["init_args"]
    size = config["data"]["init_args"]["labelled_per_batch"]
    torch.manual_seed(seed)
    network = DCGANDiscriminator(**{**arguments, "image_shape": tuple(held_out[0].shape[1:])})
    optimizer = model.discriminator_optimizer(network.parameters())
    x, labels = labelled
    found: dict[str, float] = {}
    rows = torch.empty(0, dtype=torch.int64)
    for update in range(1, max(updates) + 1):
        if len(rows) < size:  # what is left of an epoch goes, as in the data module
            rows = torch.randperm(len(x))
        batch, rows = rows[:size], rows[size:]
        loss = model.class_weight * cross_entropy(network(x[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update in updates:
            found[str(update)] = errors(network, *held_out)
    return found


def run(draw: int, folder: Path, quick: bool) -> dict[str, Any]:
    """Both, and the support vector machine, of one draw; kept in a file."""
    arguments = (f"--data.label_seed={draw}", *(QUICK if quick else ()))
    try:
        run_dir = train(folder, RECIPE, draw, arguments)
    except Failed as error:
        return {"draw": draw, "failed": str(error)}
    file = run_dir / "benchmark.json"
    if file.exists():
        return dict(json.loads(file.read_text("utf-8")))
    labelled, held_out = digits(draw)
    model: Any = gan_lightning.load(run_dir)
    updates = (5, 10) if quick else UPDATES
    svm = SVC(gamma="scale", C=10.0).fit(labelled[0].flatten(1).numpy(), labelled[1].numpy())
    guessed = torch.from_numpy(svm.predict(held_out[0].flatten(1).numpy()))
    result = {
        "draw": draw,
        "labels": len(labelled[1]),
        "held_out": len(held_out[1]),
        "game": errors(model.discriminator, *held_out),
        "baseline": baseline(run_dir, labelled, held_out, draw, updates),
        "svm": float((guessed != held_out[1]).double().mean()),
    }
    write_atomically(file, json.dumps(result))
    return result


def main() -> None:
    """Train, judge, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2, help="draws at a time, one thread each")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-semi-supervised"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    parser.add_argument("--quick", action="store_true", help="a few steps; writes nothing")
    args = parser.parse_args()
    draws = range(2 if args.quick else args.draws)
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(args.workers) as pool:
        folder = Path(temporary) if args.quick else args.runs
        results = []
        for result in pool.map(partial(run, folder=folder, quick=args.quick), draws):
            results.append(result)
            print(json.dumps(result), flush=True)
    text = table(results)
    print(text)
    if not args.quick and str(args.output) != "-":
        head = describe("Digits with 100 labels", f"{args.draws} draws of labels, a seed each")
        args.output.write_text(f"{head}\n\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
