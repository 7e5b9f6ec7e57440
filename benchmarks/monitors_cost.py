"""What do all monitors cost beside the training that they watch?

One training of a DCGAN of 32x32 pixels, in which blocks of 40 steps (the default interval of a
run of 2,000) with all monitors and blocks without them take turns; those with them end in a look.

    python benchmarks/monitors_cost.py            # writes results/monitors_cost.md
    python benchmarks/monitors_cost.py --quick    # seconds; prints a table of no meaning
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As the command line does: spinning threads would make the training hostage of other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from machine import describe, quiet

from gan_lightning.callbacks.monitors import driver as drivers
from gan_lightning.callbacks.monitors import observation
from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.observer import default_interval
from gan_lightning.callbacks.monitors.signals import Signals
from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import MemorySamples
from gan_lightning.families import DCGAN

RESULTS = Path(__file__).parent / "results" / "monitors_cost.md"
PLANNED = 2000  # steps of the run whose interval is taken
SHAPE, BATCH = (3, 32, 32), 64


class Images(AbstractGANData):
    """Random images in memory."""

    def __init__(self) -> None:
        super().__init__(SHAPE, None, BATCH, {})

    def read(self) -> MemorySamples:
        """2,000 of them."""
        random = torch.Generator().manual_seed(0)
        return MemorySamples(torch.randint(256, (2000, *SHAPE), generator=random).byte())


class Blocks(lightning.Callback):
    """Lets the monitors see every second block of steps, and takes the time.

    Args:
        monitors: What costs.
        interval: Steps of a block.
        warm_up: Blocks at the start that are not counted, an even number.
    """

    def __init__(self, monitors: FailureMonitors, interval: int, warm_up: int = 2) -> None:
        self.monitors, self.interval, self.warm_up = monitors, interval, warm_up
        self.start_seconds = 0.0
        self.times: dict[bool, list[float]] = {False: [], True: []}  # a step, by block
        self.inside: list[float] = []  # of the monitors' own hook, a block
        self._began = self._own = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The monitors' own start."""
        began = time.perf_counter()
        self.monitors.on_train_start(trainer, pl_module)
        self.start_seconds = time.perf_counter() - began
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *rest: Any) -> None:
        """Hand the step on in every second block."""
        block = (trainer.global_step - 1) // self.interval
        watched = block % 2 == 1
        if watched:
            before = time.perf_counter()
            self.monitors.on_train_batch_end(trainer, pl_module, *rest)
            self._own += time.perf_counter() - before
        if trainer.global_step % self.interval == 0:
            now = time.perf_counter()
            if block >= self.warm_up:
                self.times[watched].append((now - self._began) / self.interval)
                self.inside += [self._own] if watched else []
            self._began, self._own = time.perf_counter(), 0.0


class Clock:
    """Takes the time of functions that are called at a look."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def around(self, owner: Any, name: str, words: str) -> None:
        """Put a stopwatch around an attribute of a module or class."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds.setdefault(words, []).append(time.perf_counter() - began)

        setattr(owner, name, timed)


def measured(width: int, pairs: int, interval: int) -> tuple[Blocks, Clock]:
    """One training with so many counted pairs of blocks."""
    torch.manual_seed(0)
    clock = Clock()
    clock.around(observation, "sampled", "256 samples of G")
    clock.around(observation, "judged", "256 logits of D, each time")
    clock.around(Signals, "measure", "features and signals")
    clock.around(drivers, "announce", "announcing a verdict, each time")
    blocks = Blocks(FailureMonitors(every_n_steps=interval), interval)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=interval * (2 * pairs + blocks.warm_up),
        max_epochs=-1,
        callbacks=[blocks],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(DCGAN(image_shape=SHAPE, latent_dim=100, width=width), datamodule=Images())
    return blocks, clock


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median and third quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, statistics.median(values), third


def report(blocks: Blocks, clock: Clock, width: int) -> str:
    """Markdown tables."""
    without, watched = blocks.times[False], blocks.times[True]
    lines = [
        f"DCGAN of {'x'.join(map(str, SHAPE))}, width {width}, batch {BATCH}; all monitors with "
        f"their defaults, a look every {blocks.interval} steps. Target: at most 3 %.",
        "",
        "| | first quartile | median | third quartile |",
        "|---|---|---|---|",
        _row("ms a step, without", [1e3 * s for s in without]),
        _row("ms a step, with", [1e3 * s for s in watched]),
        _row(
            "more time, block beside block, %",
            [100 * (b / a - 1) for a, b in zip(without, watched, strict=True)],
        ),
        _row(
            "time inside the monitors beside the rest of their block, %",
            [
                100 * own / (block * blocks.interval - own)
                for own, block in zip(blocks.inside, watched, strict=True)
            ],
        ),
        _row(
            "a look, in steps of training",
            [
                own / (block - own / blocks.interval)
                for own, block in zip(blocks.inside, watched, strict=True)
            ],
        ),
        "",
        "The third line has all the noise of the machine; the fourth is the same cost, measured "
        "from the inside.",
        "",
        "| part of a look | median, ms | calls |",
        "|---|---|---|",
    ]
    for words, seconds in clock.seconds.items():
        lines.append(f"| {words} | {1e3 * statistics.median(seconds):.1f} | {len(seconds)} |")
    lines.append(f"| once, at the start: real samples | {1e3 * blocks.start_seconds:.1f} | 1 |")
    return "\n".join(lines)


def _row(words: str, values: list[float]) -> str:
    return f"| {words} | " + " | ".join(f"{value:.2f}" for value in quartiles(values)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--pairs", type=int, default=20, help="pairs of blocks (20)")
    parser.add_argument("--width", type=int, default=64, help="channels of the DCGAN (64)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; print, write nothing")
    parser.add_argument("--output", type=Path, help="where to write (results/monitors_cost.md)")
    arguments = parser.parse_args()
    quiet()
    pairs, width, interval = arguments.pairs, arguments.width, default_interval(PLANNED)
    if arguments.quick:
        pairs, width, interval = 2, 8, 5
    blocks, clock = measured(width, pairs, interval)
    protocol = f"{pairs} pairs of blocks of {interval} steps, in turn, one training"
    text = "\n\n".join([describe("Cost of the monitors", protocol), report(blocks, clock, width)])
    print(text)
    output = arguments.output or (None if arguments.quick else RESULTS)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
