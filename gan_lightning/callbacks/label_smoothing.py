"""One-sided label smoothing (Salimans et al. 2016, section 3.4, arXiv:1606.03498)."""

from typing import final

import lightning
from lightning.pytorch.callbacks import Callback

from gan_lightning.families.base import HasRealTarget


@final
class LabelSmoothing(Callback):
    """Set the discriminator's target for real samples below 1.

    The optimal discriminator is then ``D(x) = real_target * p_data / (p_data + p_g)``: its logits
    on real samples stay bounded, and the generator keeps a gradient. The target for fakes stays as
    it is: smoothed as well, it would draw the generator towards its own old samples (Goodfellow
    2016, section 4.2).

    The target holds from the start of the fit and is left at its value at the end.

    Args:
        real_target: 1 - alpha, in (0.5, 1].

    Raises:
        ValueError: if `real_target` is out of range, or when the fit is set up with a family whose
            loss has no target for real samples.

    References:
        Improved Techniques for Training GANs (Salimans et al., 2016)
        https://arxiv.org/abs/1606.03498
    """

    def __init__(self, real_target: float = 0.9) -> None:
        super().__init__()
        if not 0.5 < real_target <= 1.0:
            raise ValueError(f"`real_target` must lie in (0.5, 1], got {real_target}.")
        self.real_target = float(real_target)

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Refuse a family without a target."""
        if not isinstance(pl_module, HasRealTarget):
            raise ValueError(
                "`LabelSmoothing` needs a family whose loss has a target for real samples, got "
                f"{type(pl_module).__name__} with none (a Wasserstein or hinge loss, for "
                "one, has no probability target to soften)."
            )

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Set the target; on a resume too, as it is not part of a checkpoint."""
        if isinstance(pl_module, HasRealTarget):
            pl_module.real_target = self.real_target
