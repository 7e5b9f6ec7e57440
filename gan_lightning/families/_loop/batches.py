"""What a batch holds, and what is checked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from gan_lightning.families._loop import checks, conditions
from gan_lightning.families._loop.run import Run

if TYPE_CHECKING:
    from gan_lightning.families.base import AbstractAlternatingGAN


def unpack(
    module: AbstractAlternatingGAN, run: Run, batch: Any
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """x and what the losses are given beside it; a batch is x, (x,) or (x, labels).

    Raises:
        ValueError: When it cannot be trained on.
    """
    x, *rest = checks.parts(batch)
    if module.uses_labels and not rest:
        raise ValueError(
            f"`batch` must be (x, labels) for {type(module).__name__} but it holds no labels."
        )
    given = (conditions.of_batch(rest[0], len(x)),) if module.uses_labels else ()
    # A GPU's labels are read once: reading them waits for the device.
    if given and (run.checked == 0 or given[0].device.type == "cpu"):
        module.check_labels(*given)
    if run.checked != len(x):  # the first batch, and a shorter one at an epoch's end
        checks.batch(x, module.micro_batches, (module.generator, module.discriminator))
        checks.packs(len(x), module.micro_batches, module.samples_per_input)
        if run.checked == 0:
            few = 2 * module.samples_per_input
            module.check_networks(x[:few].to(run.dtype), *(_probe(g[:few], module) for g in given))
        run.checked = len(x)
    run.finite.see(x)
    return x.to(run.dtype), given


def _probe(labels: Tensor, module: AbstractAlternatingGAN) -> Tensor:
    """Labels with the highest class among them, which a network with too few does not know."""
    if module.num_classes is None:
        return labels
    labels = labels.clone()
    labels[0] = module.num_classes - 1
    return labels
