"""Does the library cost anything beside a loop written by hand?

One run compares, in interleaved rounds on the same machine:

1. DCGAN 64x64 through the Trainer with a plain PyTorch loop of the same arithmetic;
2. the same for a small MLP on points, where what is not arithmetic shows (process time);
3. the library with the loop that most people write, in float32 and bfloat16;
4. the data module's batches with torchvision's usual PIL transforms.

    python benchmarks/throughput.py            # writes results/throughput.md
    python benchmarks/throughput.py --quick    # seconds; prints a table of no meaning
"""

import argparse
import gc
import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

# As the command line does: spinning threads would make every contestant hostage of other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from loops import BareModule, Game, plain_loop, usual_loop
from machine import describe, has_bfloat16

from gan_lightning import NonSaturatingGAN, networks
from gan_lightning.data import Digits

RESULTS = Path(__file__).parent / "results" / "throughput.md"
LOG_EVERY = 50

Seconds = tuple[float, float]  # wall and process time of one batch
Contestant = Callable[[], Seconds]


class Batches:
    """Float batches that lie in memory, again and again."""

    def __init__(self, image_shape: tuple[int, ...], batch_size: int, channels_last: bool = False):
        batches = [torch.rand(batch_size, *image_shape) * 2 - 1 for _ in range(8)]
        if channels_last:
            batches = [x.to(memory_format=torch.channels_last) for x in batches]
        self.batches = batches

    def __len__(self) -> int:
        return 10**9

    def __iter__(self) -> Iterator[torch.Tensor]:
        return itertools.cycle(self.batches)


class Stopwatch(lightning.Callback):
    """Times the batches after the first `warm_up` ones."""

    def __init__(self, warm_up: int, batches: int):
        self.warm_up, self.last = warm_up, warm_up + batches
        self.start: Seconds = (0.0, 0.0)
        self.stop: Seconds = (0.0, 0.0)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        """Read both clocks."""
        now = time.perf_counter(), time.process_time()
        if batch_idx + 1 == self.warm_up:
            self.start = now
        if batch_idx + 1 == self.last:
            self.stop = now


@dataclass
class Comparison:
    """Contestants that take turns; the first one is what the others are measured against."""

    title: str
    target: str
    batch_size: int
    contestants: dict[str, Contestant]
    unit: str = "wall"  # or "process"
    times: dict[str, list[float]] = field(default_factory=dict)

    def run(self, rounds: int) -> None:
        """Let everybody run once a round, in alternating order."""
        names = list(self.contestants)
        for turn in range(rounds):
            for name in names if turn % 2 == 0 else reversed(names):
                gc.collect()
                seconds = self.contestants[name]()
                self.times.setdefault(name, []).append(seconds[self.unit == "process"])


def library(game: Game, warm_up: int, batches: int, precision: str = "32-true") -> Contestant:
    """The library through a Trainer, with nothing switched off that a user has by default."""
    model = NonSaturatingGAN(*game.networks(), latent_dim=game.latent_dim)
    channels_last = precision != "32-true"
    if channels_last:
        model.to(memory_format=torch.channels_last)
    data = Batches(game.image_shape, game.batch_size, channels_last)
    return fitting(model, data, warm_up, batches, precision, steps_a_batch=1)


def lightning_alone(game: Game, warm_up: int, batches: int) -> Contestant:
    """The plain loop in a LightningModule; Lightning counts both players' steps there."""
    data = Batches(game.image_shape, game.batch_size)
    return fitting(BareModule(game), data, warm_up, batches, "32-true", steps_a_batch=2)


def fitting(model, data, warm_up, batches, precision, steps_a_batch) -> Contestant:
    """A fit of some batches, again and again."""

    def fit() -> Seconds:
        watch = Stopwatch(warm_up, batches)
        trainer = lightning.Trainer(
            accelerator="cpu",
            precision=precision,
            max_steps=steps_a_batch * (warm_up + batches),
            callbacks=[watch],
            log_every_n_steps=LOG_EVERY,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, data)
        return tuple((b - a) / batches for a, b in zip(watch.start, watch.stop, strict=True))

    return fit


def by_hand(loop: Iterator[None], warm_up: int, batches: int) -> Contestant:
    """A loop that does one batch each time it is asked."""

    def run() -> Seconds:
        for _ in itertools.islice(loop, warm_up):
            pass
        start = time.perf_counter(), time.process_time()
        for _ in itertools.islice(loop, batches):
            pass
        stop = time.perf_counter(), time.process_time()
        return tuple((b - a) / batches for a, b in zip(start, stop, strict=True))

    return run


def on_one_thread(contestant: Contestant) -> Contestant:
    """Small matrices are not shared out among threads, and waiting threads would be counted."""

    def run() -> Seconds:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return contestant()
        finally:
            torch.set_num_threads(threads)

    return run


def same_arithmetic(game: Game, warm_up: int, batches: int) -> dict[str, Contestant]:
    data = Batches(game.image_shape, game.batch_size)
    loop = plain_loop(game, data, LOG_EVERY)
    return {
        "plain PyTorch loop": by_hand(loop, warm_up, batches),
        "library": library(game, warm_up, batches),
    }


def usual_loops(game: Game, warm_up: int, batches: int) -> dict[str, Contestant]:
    data = Batches(game.image_shape, game.batch_size)
    contestants = {
        "usual loop": by_hand(usual_loop(game, data), warm_up, batches),
        "usual loop, D's fakes used again for G": by_hand(
            usual_loop(game, data, reuse_fakes=True), warm_up, batches
        ),
        "library, float32": library(game, warm_up, batches),
    }
    if has_bfloat16():
        contestants["library, bf16-mixed and channels_last"] = library(
            game, warm_up, batches, "bf16-mixed"
        )
    return contestants


def loaders(batches: int, image_size: int = 32, batch_size: int = 64) -> dict[str, Contestant]:
    """The same digits from PIL images through a DataLoader, and from the data module."""
    from torchvision.transforms import Compose, Normalize, Resize, ToPILImage, ToTensor

    data = Digits(image_size=image_size, batch_size=batch_size)
    data.setup()
    # The originals in a usual data set: PIL images, resized and normalised whenever they are read.
    small = Digits(image_size=8)
    images = [ToPILImage()(x) for x in small.read().x]
    transform = Compose([Resize(image_size), ToTensor(), Normalize(0.5, 0.5)])

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return transform(images[index])

    def endless(make):
        while True:
            yield from make()

    loader = torch.utils.data.DataLoader(Images(), batch_size, shuffle=True, drop_last=True)
    module = (data.on_after_batch_transfer(x, 0) for x in endless(data.train_dataloader))
    return {
        "PIL images, torchvision transforms": by_hand(endless(lambda: loader), 2, batches),
        "data module": by_hand(module, 2, batches),
    }


def comparisons(quick: bool) -> list[Comparison]:
    size, width, batch, warm_up, batches = (16, 4, 8, 1, 3) if quick else (64, 64, 64, 1, 4)
    image = (3, size, size)
    game = Game(image, 100, batch, lambda: networks.dcgan(image, 100, width))
    points = Game((2,), 16, 64, lambda: networks.mlp((2,), 16, 128))
    toy = same_arithmetic(points, *((5, 20) if quick else (50, 500)))
    toy["the plain loop in a LightningModule"] = lightning_alone(
        points, *((5, 20) if quick else (50, 500))
    )
    name = f"DCGAN {size}x{size}, width {width}, batch {batch}"
    return [
        Comparison(
            f"{name}: same arithmetic", ">= 0.97", batch, same_arithmetic(game, warm_up, batches)
        ),
        Comparison(
            "MLP of width 128 on points, batch 64: process time, one thread",
            "<= +0.6 ms",
            64,
            {name: on_one_thread(contestant) for name, contestant in toy.items()},
            unit="process",
        ),
        Comparison(
            f"{name}: the loop most people write",
            ">= 1.05 in float32, >= 1.7 in bf16",
            batch,
            usual_loops(game, warm_up, batches),
        ),
        Comparison(
            "Digits at 32x32, batch 64: loading alone", "none", 64, loaders(5 if quick else 50)
        ),
    ]


def table(comparison: Comparison) -> str:
    """Markdown: every contestant's time, and its speed relative to the first one's."""
    names = list(comparison.times)
    first = comparison.times[names[0]]
    lines = [
        f"## {comparison.title}",
        "",
        f"Target: {comparison.target}.",
        "",
        "| | ms per batch | images/s | beside the first | speed (of minima) "
        "| median of rounds | spread of rounds | GPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        times = comparison.times[name]
        ratios = [a / b for a, b in zip(first, times, strict=True)]
        rate, extra = comparison.batch_size / min(times), 1e3 * (min(times) - min(first))
        lines.append(
            f"| {name} | {1e3 * min(times):.3f} | {rate:,.0f} | {extra:+.3f} ms "
            f"| {min(first) / min(times):.3f} | {median(ratios):.3f} "
            f"| {min(ratios):.3f} to {max(ratios):.3f} | not measured |"
        )
    if "usual loop" in names and not has_bfloat16():
        lines.append("| library, bf16-mixed | not measured: no bfloat16 instructions | | | | | | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rounds", type=int, help="turns of each contestant (12; quick: 2)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; print, write nothing")
    parser.add_argument("--only", default="", help="comparisons whose title holds this text")
    parser.add_argument("--output", type=Path, help="where to write (results/throughput.md)")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 12)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    protocol = f"{rounds} interleaved rounds, one process"
    sections = [
        describe("Throughput", protocol),
        "Times are minima over the rounds; speeds are relative to a table's first line.",
    ]
    for comparison in comparisons(arguments.quick):
        if arguments.only not in comparison.title:
            continue
        comparison.run(rounds)
        sections.append(table(comparison))
        print(sections[-1], flush=True)
    partial = arguments.quick or arguments.only
    output = arguments.output or (None if partial else RESULTS)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
