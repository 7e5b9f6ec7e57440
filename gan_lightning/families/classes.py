"""Games whose discriminator tells the classes of real samples, some of them labelled."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.families._loop import checks, conditions
from gan_lightning.families._loop.averaging import evaluating
from gan_lightning.families.base import AbstractAlternatingGAN
from gan_lightning.losses.classification import UNLABELLED, cross_entropies, hits

_BATCH = 256


def require_classes(num_classes: int | None, family: str) -> int:
    """The number of classes, which the data know.

    Raises:
        ValueError: When there is none.
    """
    if num_classes is None:
        raise ValueError(
            f"`num_classes` must be given for {family}, whose discriminator tells classes, but got "
            "None."
        )
    return num_classes


class AbstractClassGAN(AbstractAlternatingGAN):
    """D returns class logits `(N, n)` instead of one logit; batches are (x, labels).

    A label of -1 says that a sample has none. The samples *without* labels are those that the
    unsupervised terms run over; where a whole (global) batch is labelled, they run over all of it.

    Args:
        *args: As in `AbstractGAN`.
        class_weight: Weight of the cross-entropy on labelled samples.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When the weight is negative.
    """

    whole_batch_because: ClassVar[str | None] = (
        "its costs are functions of means over the whole batch"
    )
    unpacked_because: ClassVar[str | None] = "its discriminator tells the class of single samples"

    def __init__(self, *args: Any, class_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        checks.non_negative("class_weight", class_weight)
        self.class_weight = class_weight
        self._hits: list[Tensor] = []  # of a validation: (right, labelled) of each batch

    # --- what D tells ----------------------------------------------------------------------------

    @property
    def classes(self) -> int:
        """n, the length of D's result for a sample."""
        assert self.num_classes is not None  # see the families' constructors
        return self.num_classes

    @property
    def uses_labels(self) -> bool:
        """The losses are given labels, -1 where there is none."""
        return True

    def inputs(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """D is shown x alone: the labels are what it shall tell."""
        return (x,)

    def classify(self, x: Tensor) -> Tensor:
        """Probabilities of the classes, from D in evaluation mode.

        Args:
            x: Samples `(N, C, H, W)` in [-1, 1] or `(N, D)`, on any device.

        Returns:
            `(N, n)`, on the module's device.
        """
        like = next(self.discriminator.parameters())
        with torch.no_grad(), evaluating(self.discriminator):
            logits = [self.discriminator(part.to(like)) for part in torch.split(x, _BATCH)]
            return torch.cat(logits).softmax(1)

    # --- means over the global batch -------------------------------------------------------------

    def unlabelled(self, x: Tensor, *labels: Tensor) -> Tensor:
        """Weights `(N,)` of the samples that the unsupervised terms run over."""
        if not labels:
            return x.new_ones(len(x))
        mask = (labels[0] == UNLABELLED).to(x.dtype)
        # Not `if`: the answer lies on the device, and waiting for it would cost every step.
        return torch.where(self.mean_over_ranks(mask.sum()) > 0, mask, torch.ones_like(mask))

    def weighted_mean(self, values: Tensor, weights: Tensor) -> Tensor:
        """Mean of `(N, ...)` over the global batch with weights `(N,)`; 0 if all of them are 0."""
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        weights = weights.to(values.dtype)
        rows = weights.reshape(-1, *(1,) * (values.dim() - 1))  # a product: autocast rounds matmul
        total = self.mean_over_ranks((rows * values).sum(0))
        weight = self.mean_over_ranks(weights.sum())
        return total / torch.where(weight > 0, weight, torch.ones_like(weight))

    def supervised_loss(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, a mean over the labelled samples of the global batch; 0 without any."""
        losses = cross_entropies(class_logits, labels)
        return self.weighted_mean(losses, labels != UNLABELLED)

    def labelled_accuracy(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        """Share of right answers among the labelled samples of the global batch; 0 without any."""
        right = hits(class_logits, labels)
        return self.weighted_mean(right, labels != UNLABELLED)

    # --- validation ------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Forget what a validation that was interrupted has counted."""
        self._hits.clear()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Count the right answers on a batch (x, labels)."""
        x, *rest = checks.parts(batch)
        if not self.uses_labels or not rest:
            return
        labels = rest[0]
        labelled = labels != UNLABELLED
        right = (self.classify(x).argmax(1) == labels) & labelled
        self._hits.append(torch.stack([right.sum(), labelled.sum()]))

    def on_validation_epoch_end(self) -> None:
        """Log `accuracy/validation`, the share of right answers on all processes together."""
        zero = torch.zeros(2, dtype=torch.int64, device=self.device)
        counts = torch.stack([zero, *self._hits]).sum(0)
        self._hits.clear()
        right, labelled = self.trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        if labelled and not self.trainer.sanity_checking:
            self.log_row({"accuracy/validation": right / labelled})

    # --- checks ----------------------------------------------------------------------------------

    def check_labels(self, labels: Tensor) -> None:
        """Refuse the labels of a batch.

        Raises:
            ValueError: When they are not integers in -1, ..., num_classes - 1.
        """
        assert self.num_classes is not None
        conditions.classes(labels, self.num_classes, unlabelled=True)

    def check_networks(self, x: Tensor, *given: Tensor) -> None:
        """Refuse networks that do not fit the data, on a few samples in evaluation mode.

        Raises:
            ValueError: When shapes disagree.
        """
        z = self.latent(len(x), seed=0).to(x)
        with torch.no_grad(), evaluating(self.generator, self.discriminator):
            with checks.runs("generator", f"z of shape {tuple(z.shape)}"):
                x_fake = self.generator(z)
            checks.same_shape(x, x_fake)
            with (
                checks.runs("discriminator", f"samples of shape {tuple(x.shape)}"),
                checks.no_probability(self.discriminator) as returned,
            ):
                returned.append(self.discriminator(x))
        wanted, found = (len(x), self.classes), tuple(returned[0].shape)
        if found != wanted:
            raise ValueError(
                f"`discriminator` must return one logit a class for {type(self).__name__}, "
                f"(N, n) = {wanted}, but gives {found}."
            )
