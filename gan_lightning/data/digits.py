"""The handwritten digits that scikit-learn brings along."""

from typing import final

import torch

from gan_lightning.data.base import AbstractGANData, check_image_size
from gan_lightning.data.batches import MemorySamples
from gan_lightning.data.images import resize


@final
class Digits(AbstractGANData):
    """scikit-learn's 1,797 handwritten digits: nothing to download, and enough for two CPU cores.

    The originals have 8x8 pixels with 17 grey levels (UCI Optical Recognition of Handwritten
    Digits, the test part); they are resized once. Labels are the digits 0 to 9.

    Args:
        image_size: Side of the images in pixels: 8 (as they are), 16, 32 or 64.
        batch_size: Samples per batch and process.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, image_size: int = 16, batch_size: int = 64) -> None:
        check_image_size(image_size, largest=64)
        super().__init__((1, image_size, image_size), 10, batch_size, {"image_size": image_size})

    def read(self) -> MemorySamples:
        """Read the digits from scikit-learn's own files."""
        from sklearn.datasets import load_digits  # takes a second: only who needs it waits

        pixels, labels = load_digits(return_X_y=True)
        images = torch.from_numpy(pixels).reshape(-1, 1, 8, 8)
        x = resize(images, self.image_shape[-1], highest=16)
        return MemorySamples(x, torch.from_numpy(labels).long())
