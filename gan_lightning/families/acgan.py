"""ACGAN: D tells real from generated samples, an auxiliary classifier on its features the class.

Odena, Olah, Shlens 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs"
(arXiv:1610.09585), section 3, Eq. 2 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

from torch import Tensor, nn

from gan_lightning.families._loop import checks
from gan_lightning.families._loop.networks import require_features, with_features
from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import classification, goodfellow


@final
class ACGAN(AbstractAlternatingGAN):
    """A conditional GAN whose D is not shown labels but tells them, of reals and of fakes.

    The classifier is a linear head on D's features. It belongs to the family and to D's player.

    Args:
        *args: As in `AbstractGAN`; `generator(z, labels)` takes labels, `discriminator(x)` does not
            and has features.
        class_weight: Weight of the classifier's cross-entropies in both players' costs.
        **kwargs: As in `AbstractGAN`; `num_classes` is needed.

    Attributes:
        classifier: `(N, feature_dim)` to class logits `(N, num_classes)`.

    Raises:
        ValueError: When `num_classes` is missing, the discriminator has no features, or the weight
            is negative.

    References:
        Odena et al. 2017, section 3. https://arxiv.org/abs/1610.09585
    """

    always_conditional: ClassVar[bool] = True
    unpacked_because: ClassVar[str | None] = "its classifier tells the class of single samples"

    def __init__(self, *args: Any, class_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        checks.non_negative("class_weight", class_weight)
        self.class_weight = class_weight
        assert self.num_classes is not None  # a conditional family: see checks.arguments
        self.classes: int = self.num_classes
        feature_dim = require_features(self.discriminator, "ACGAN", "whose classifier reads them")
        like = next(self.discriminator.parameters())
        self.classifier = nn.Linear(feature_dim, self.classes, device=like.device, dtype=like.dtype)

    def discriminator_modules(self) -> Sequence[nn.Module]:
        """The classifier moves with D."""
        return [self.discriminator, self.classifier]

    def inputs(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """D is not shown the labels."""
        return (x,)

    def discriminator_loss(self, x: Tensor, labels: Tensor) -> Objective:
        """-(L_S + L_C): cross-entropies of real against generated, and of the classes of both."""
        x_fake, fake_labels = self._fakes(len(x))
        d_real, c_real = self._tell(x)
        d_fake, c_fake = self._tell(x_fake)
        classes = classification.cross_entropies(c_real, labels).mean()
        fake_classes = classification.cross_entropies(c_fake, fake_labels).mean()
        loss = goodfellow.discriminator_loss(d_real, d_fake)
        loss = loss + self.class_weight * (classes + fake_classes)
        logs = {
            "accuracy/real": classification.hits(c_real, labels).mean(),
            "accuracy/fake": classification.hits(c_fake, fake_labels).mean(),
        }
        return Objective(loss, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, labels: Tensor) -> Objective:
        """L_S - L_C, non-saturating: fakes shall pass for real and for their class."""
        x_fake, fake_labels = self._fakes(len(x))
        d_fake, c_fake = self._tell(x_fake)
        loss = goodfellow.non_saturating_generator_loss(d_fake)
        fake_classes = classification.cross_entropies(c_fake, fake_labels).mean()
        loss = loss + self.class_weight * fake_classes
        return Objective(loss, d_fake=d_fake, x_fake=x_fake)

    def _fakes(self, n: int) -> tuple[Tensor, Tensor]:
        """Samples of classes drawn uniformly, and the classes."""
        labels = self.draws.integers(n, self.classes)
        return self.generator(self.noise(n), labels), labels

    def _tell(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of being real and the class logits, in one pass."""
        d, features = with_features(self.discriminator, x)
        return d, self.classifier(features)
