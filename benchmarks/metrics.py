"""What do the metrics cost, beside other libraries and beside the extractor's pass?

Four questions, each answered within one run on one machine:

1. the Fréchet distance of 2048-dimensional statistics, beside torchmetrics' own arithmetic;
2. the updates of FID, IS, KID, precision, recall, density, coverage and NDB in one pass, beside the
   extractor's pass alone (Inception with random weights: what it costs does not depend on them);
3. memory and time of precision and recall of 10,000 x 10,000 samples of 2048 features;
4. the evaluation of the digits demo.

    python benchmarks/metrics.py            # writes results/metrics.md
    python benchmarks/metrics.py --quick    # small sizes; prints tables of no meaning
    python benchmarks/metrics.py --only frechet memory
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  (before torchmetrics, see gan_lightning/_torchvision.py)

# isort: split

import torch
from machine import describe
from torchmetrics.image.fid import _compute_fid

from gan_lightning import metrics
from gan_lightning.metrics.defaults import suite_for
from gan_lightning.metrics.extractors import DigitsClassifier, InceptionExtractor
from gan_lightning.metrics.functional.frechet import frechet_from_moments, moments
from gan_lightning.metrics.suite import MetricSuite

RESULTS = Path(__file__).parent / "results" / "metrics.md"
GPU = "not measured"


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def frechet(quick: bool) -> str:
    """torchmetrics' root is the sum of the roots of the eigenvalues of S1 S2."""
    d, rounds = (64, 2) if quick else (2048, 5)
    torch.manual_seed(0)
    sets = [torch.randn(2 * d, d) @ torch.randn(d, d) / d**0.5 for _ in range(2)]
    a, b = (moments(x) for x in sets)
    covariances = [m.scatter / (m.n - 1) for m in (a, b)]
    theirs = lambda: _compute_fid(a.mean, covariances[0], b.mean, covariances[1])  # noqa: E731
    ours = lambda: frechet_from_moments(a, b)  # noqa: E731
    times: dict[str, list[float]] = {"torchmetrics 1.9": [], "gan_lightning": []}
    for _ in range(rounds):
        times["torchmetrics 1.9"].append(timed(theirs))
        times["gan_lightning"].append(timed(ours))
    first = times["torchmetrics 1.9"]
    off = abs(float(ours()) / float(theirs()) - 1)
    lines = [
        f"## Fréchet distance of {d}-dimensional statistics",
        "",
        f"{rounds} interleaved rounds, {torch.get_num_threads()} threads, float64; moments are at "
        f"hand. Both values agree to {off:.0e}. Target: at least 6 times as fast.",
        "",
        "| | seconds (minimum) | times as fast, of minima | median of rounds | spread | GPU |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in times.items():
        ratios = [x / y for x, y in zip(first, found, strict=True)]
        lines.append(
            f"| {name} | {min(found):.2f} | {min(first) / min(found):.2f} | {median(ratios):.2f} "
            f"| {min(ratios):.2f} to {max(ratios):.2f} | {GPU} |"
        )
    parts = {
        "eigvals of S1 S2 (torchmetrics)": lambda: torch.linalg.eigvals(
            covariances[0] @ covariances[1]
        ),
        "eigvalsh of a matrix of this size": lambda: torch.linalg.eigvalsh(covariances[0]),
        "one product of two such matrices": lambda: covariances[0] @ covariances[1],
        "Cholesky": lambda: torch.linalg.cholesky(covariances[0]),
    }
    lines += ["", "| what both are made of | seconds (minimum) |", "|---|---|"]
    lines += [
        f"| {name} | {min(timed(part) for _ in range(rounds)):.2f} |"
        for name, part in parts.items()
    ]
    return "\n".join(lines)


def one_pass(quick: bool) -> str:
    """Updates beside the extractor alone, then each final computation."""
    n, chunk = (8, 4) if quick else (10_000, 50)
    timed_batches = n // chunk if quick else 12  # Inception costs a tenth of a second an image here
    with tempfile.TemporaryDirectory() as folder:
        extractor = random_inception(Path(folder))
    chosen = [
        metrics.FrechetDistance(keep_features=True),
        metrics.InceptionScore(),
        metrics.KernelDistanceSubsets(subset_size=2 if quick else 1000),
        metrics.PrecisionRecall(),
        metrics.DensityCoverage(),
        metrics.NDB(bins=2 if quick else 100),
    ]
    suite = MetricSuite(extractor, chosen)
    x = torch.rand(chunk, 3, 32, 32) * 2 - 1
    outputs = extractor(x)
    alone, updates, adding = [], [], []
    for _ in range(timed_batches):
        alone.append(timed(lambda: extractor(x)))
        updates.append(timed(lambda: suite.update(x)))
        adding.append(timed(lambda: suite.update_outputs(outputs)))
    ratios = [u / a for u, a in zip(updates, alone, strict=True)]
    lines = [
        f"## One pass for FID, IS, KID, PRDC and NDB of {n:,} images",
        "",
        f"{timed_batches} interleaved batches of {chunk}, 32x32 resized to 299x299, Inception with "
        "random weights. Target: updates at most 1.1 times the extractor's pass.",
        "",
        "| | ms a batch (minimum) | beside the pass alone, of minima | median | spread | GPU |",
        "|---|---|---|---|---|---|",
        f"| the extractor alone | {1e3 * min(alone):.1f} | 1.000 | | | {GPU} |",
        f"| `MetricSuite.update` | {1e3 * min(updates):.1f} | {min(updates) / min(alone):.3f} "
        f"| {median(ratios):.3f} | {min(ratios):.3f} to {max(ratios):.3f} | {GPU} |",
        f"| of it, everything but the pass | {1e3 * min(adding):.2f} "
        f"| {min(adding) / min(alone):.4f} | | | {GPU} |",
        "",
        f"Final computations on {n:,} + {n:,} random rows of 2048 features (1,008 logits), once "
        "each:",
        "",
        "| metric | seconds | GPU |",
        "|---|---|---|",
    ]
    torch.manual_seed(0)
    features = [torch.randn(n, 2048) for _ in range(2)]
    logits = torch.randn(n, 1008)
    for metric in chosen:
        sets = (logits,) if metric.output == "logits" else tuple(features)
        name = type(metric).__name__
        lines.append(f"| {name} | {timed(lambda m=metric, s=sets: m.value(*s)):.1f} | {GPU} |")
    return "\n".join(lines)


def random_inception(folder: Path) -> InceptionExtractor:
    """Inception with weights that were drawn, saved under the right name."""
    from gan_lightning.metrics.extractors import inception

    torch.manual_seed(0)
    network = inception._Network()
    for module in network.modules():  # torch's own would let the signal fade to denormal numbers
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    file = folder / inception.FILE
    torch.save(network.state_dict(), file)
    return InceptionExtractor(file, check_hash=False)


_MEMORY = """
import time, torch, gan_lightning
from gan_lightning.metrics.functional.precision_recall import precision_recall
def peak():  # of this process alone: what getrusage knows goes back to the one that began it
    line, = (x for x in open("/proc/self/status") if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1000
n, d = {n}, {d}
torch.manual_seed(0)
real, fake = torch.randn(n, d), torch.randn(n, d)
precision_recall(real[:300], fake[:300])  # what torch itself needs
before, start = peak(), time.perf_counter()
precision_recall(real, fake)
print(peak() - before, time.perf_counter() - start)
"""


def memory(quick: bool) -> str:
    n, d = (500, 64) if quick else (10_000, 2048)
    code = _MEMORY.format(n=n, d=d)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak, seconds = (float(word) for word in done.stdout.split())
    return "\n".join(
        [
            f"## Precision and recall of {n:,} x {n:,} samples of {d} features",
            "",
            "In a process of its own; peak resident memory above that with the float32 features. "
            "Target: within 600 MB.",
            "",
            "| MB above the features | seconds | GPU |",
            "|---|---|---|",
            f"| {peak:.0f} | {seconds:.1f} | {GPU} |",
        ]
    )


def demo(quick: bool) -> str:
    """As `make demo` ends: 1,797 samples of its generator against the 1,797 digits."""
    from gan_lightning import DCGAN
    from gan_lightning.data import Digits

    torch.manual_seed(0)
    model = DCGAN(latent_dim=100, width=32, image_shape=(1, 16, 16))
    data, rounds = Digits(image_size=16), 1 if quick else 5
    number = 60 if quick else data.samples
    suite = suite_for(DigitsClassifier(), number)

    def real() -> None:
        suite.reset(keep_real=False)
        for x, _ in data.real_chunks(number):
            suite.update(x, real=True)

    def fake() -> None:
        suite.reset()
        for start in range(0, number, 250):
            suite.update(model.sample(min(250, number - start), seed=start))

    times: dict[str, list[float]] = {"real samples, once": [], "samples": [], "scores": []}
    for _ in range(rounds):
        for name, work in zip(times, (real, fake, suite.compute), strict=True):
            times[name].append(timed(work))
    whole = [sum(parts) for parts in zip(*times.values(), strict=True)]
    lines = [
        f"## Evaluation of the digits demo, {number:,} samples of each kind",
        "",
        f"{rounds} rounds, {torch.get_num_threads()} threads; the generator is untrained, which "
        "costs the same. Target: under 5 s.",
        "",
        "| | seconds (minimum) | median | GPU |",
        "|---|---|---|---|",
    ]
    for name, found in (times | {"all of it": whole}).items():
        lines.append(f"| {name} | {min(found):.2f} | {median(found):.2f} | {GPU} |")
    return "\n".join(lines)


PARTS = {"frechet": frechet, "one_pass": one_pass, "memory": memory, "demo": demo}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    parser.add_argument("--output", type=Path, help="where to write (results/metrics.md)")
    arguments = parser.parse_args()
    sections = [describe("Metrics", "one process, parts one after another")]
    for name in arguments.only:
        sections.append(PARTS[name](arguments.quick))
        print(sections[-1], flush=True)
    partial = arguments.quick or len(arguments.only) < len(PARTS)
    output = arguments.output or (None if partial else RESULTS)
    if output is not None:
        output.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
