"""The semi-supervised game: D tells n classes of real samples and one of generated ones.

Salimans et al. 2016, "Improved Techniques for Training GANs" (arXiv:1606.03498), section 5 and, for
the generator, section 3.1; Goodfellow 2016, "NIPS 2016 Tutorial" (arXiv:1701.00160), section 5.4.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

from torch import Tensor

from gan_lightning.families._loop.networks import require_features, with_features
from gan_lightning.families.base import Objective
from gan_lightning.families.classes import AbstractClassGAN, require_classes
from gan_lightning.losses import classification as losses
from gan_lightning.losses.feature_matching import feature_matching_loss


@final
class SemiSupervisedGAN(AbstractClassGAN):
    """A classifier that learns from few labels, many samples without one, and G's samples.

    D returns the logits l_1, ..., l_n of the classes; that of generated samples is held at 0, so
    that logsumexp(l) is the logit of being real. Batches are (x, labels), -1 for no label
    (`data.SemiSupervised` makes them).

    Args:
        *args: As in `AbstractGAN`; `discriminator` returns `(N, num_classes)` and has features.
        class_weight: Weight of the cross-entropy on labelled samples.
        **kwargs: As in `AbstractGAN`; `num_classes` is needed.

    Raises:
        ValueError: When `num_classes` is missing or the discriminator has no features.

    References:
        Salimans et al. 2016, section 5. https://arxiv.org/abs/1606.03498
        Goodfellow 2016, section 5.4. https://arxiv.org/abs/1701.00160
    """

    unconditional_because: ClassVar[str | None] = (
        "labels are what its discriminator has to tell, and most samples have none"
    )

    def __init__(self, *args: Any, class_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, class_weight=class_weight, **kwargs)
        name = type(self).__name__
        require_classes(self.num_classes, name)
        require_features(self.discriminator, name, "whose generator matches their means")

    def judge(self, *inputs: Tensor) -> Tensor:
        """The logit of being real, `(N,)`."""
        return losses.real_logits(self.discriminator(*inputs))

    def discriminator_loss(self, x: Tensor, labels: Tensor) -> Objective:
        """L_supervised + L_unsupervised."""
        x_fake = self.generator(self.noise(len(x)))
        l_real, l_fake = self.discriminator(x), self.discriminator(x_fake)  # (N, n)
        supervised = self.supervised_loss(l_real, labels)
        real = self.weighted_mean(losses.real_costs(l_real), self.unlabelled(x, labels))
        unsupervised = real + losses.fake_costs(l_fake).mean()
        loss = self.class_weight * supervised + unsupervised
        d_real, d_fake = losses.real_logits(l_real), losses.real_logits(l_fake)
        logs = {
            "loss/supervised": supervised,
            "loss/unsupervised": unsupervised,
            "accuracy/labelled": self.labelled_accuracy(l_real, labels),
        }
        return Objective(loss, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, labels: Tensor) -> Objective:
        """Feature matching: || E f(x) - E f(G(z)) ||^2."""
        x_fake = self.generator(self.noise(len(x)))
        _, f_real = with_features(self.discriminator, x)
        l_fake, f_fake = with_features(self.discriminator, x_fake)
        real_mean = self.weighted_mean(f_real, self.unlabelled(x, labels))
        fake_mean = self.weighted_mean(f_fake, f_fake.new_ones(len(f_fake)))
        loss = feature_matching_loss(real_mean, fake_mean)
        return Objective(loss, d_fake=losses.real_logits(l_fake), x_fake=x_fake)
