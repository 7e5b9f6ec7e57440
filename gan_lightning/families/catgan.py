"""CatGAN: D is sure of real samples' classes and unsure of generated ones'; there is no real/fake.

Springenberg 2016, "Unsupervised and Semi-supervised Learning with Categorical Generative
Adversarial Networks" (arXiv:1511.06390), section 3.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

from torch import Tensor

from gan_lightning.families._loop import checks
from gan_lightning.families.base import Objective
from gan_lightning.families.classes import AbstractClassGAN, require_classes
from gan_lightning.losses import classification as losses


@final
class CatGAN(AbstractClassGAN):
    """A classifier over n categories that G's samples leave undecided, with or without labels.

    D's logit, for the log and for regularizers, is log(n) / 2 - H[p(y | x)]: positive where D is
    surer than halfway, as it shall be of real samples.

    Args:
        *args: As in `AbstractGAN`; `discriminator` returns `(N, n)`.
        labelled: Whether batches are (x, labels), with -1 for no label. Otherwise labels are
            dropped, and the categories are those that D finds.
        categories: n, for a game without labels; None takes `num_classes`.
        class_weight: Weight of the cross-entropy on labelled samples, the paper's lambda.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When the number of categories is missing or does not fit the labels.

    References:
        Springenberg 2016, section 3. https://arxiv.org/abs/1511.06390
    """

    unconditional_because: ClassVar[str | None] = (
        "categories are what its discriminator has to tell"
    )

    def __init__(
        self,
        *args: Any,
        labelled: bool = True,
        categories: int | None = None,
        class_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, class_weight=class_weight, **kwargs)
        self.labelled = labelled
        if labelled and categories not in (None, self.num_classes):
            raise ValueError(
                f"`categories` must be `num_classes` = {self.num_classes} with labels, because a "
                f"label names a category, but got {categories}."
            )
        if categories is None:
            categories = require_classes(self.num_classes, type(self).__name__)
        checks.positive_integer("categories", categories)
        self.categories = categories

    @property
    def classes(self) -> int:
        """n, the number of categories."""
        return self.categories

    @property
    def uses_labels(self) -> bool:
        """The losses are given labels unless the game does without."""
        return self.labelled

    def judge(self, *inputs: Tensor) -> Tensor:
        """How sure D is of a category, `(N,)`: log(n) / 2 - H[p(y | x)]."""
        return self._sureness(losses.entropies(self.discriminator(*inputs)))

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """L_D = -H[E p(y|x)] + E H[p(y|x)] - E H[p(y|G(z))] + lambda E CE, the paper's negated."""
        x_fake = self.generator(self.noise(len(x)))
        l_real, l_fake = self.discriminator(x), self.discriminator(x_fake)  # (N, n)
        weights = self.unlabelled(x, *labels)
        h_real, h_fake = losses.entropies(l_real), losses.entropies(l_fake)
        marginal = losses.entropy(self.weighted_mean(losses.probabilities(l_real), weights))
        conditional = self.weighted_mean(h_real, weights)
        loss = -marginal + conditional - h_fake.mean()
        logs = {
            "entropy/marginal": marginal,
            "entropy/real": conditional,
            "entropy/fake": h_fake.mean(),
        }
        if labels:
            logs["loss/supervised"] = self.supervised_loss(l_real, *labels)
            logs["accuracy/labelled"] = self.labelled_accuracy(l_real, *labels)
            loss = loss + self.class_weight * logs["loss/supervised"]
        d_real, d_fake = self._sureness(h_real), self._sureness(h_fake)
        return Objective(loss, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """L_G = -H[E p(y|G(z))] + E H[p(y|G(z))]."""
        x_fake = self.generator(self.noise(len(x)))
        l_fake = self.discriminator(x_fake)
        h_fake = losses.entropies(l_fake)
        marginal = losses.entropy(self.mean_over_ranks(losses.probabilities(l_fake).mean(0)))
        loss = -marginal + h_fake.mean()
        logs = {"entropy/marginal_fake": marginal}
        return Objective(loss, d_fake=self._sureness(h_fake), x_fake=x_fake, logs=logs)

    def _sureness(self, entropies: Tensor) -> Tensor:
        return math.log(self.categories) / 2 - entropies
