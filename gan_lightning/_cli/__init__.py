"""The part of the command line that needs torch."""

import gan_lightning._torchvision  # noqa: F401  (declares operators that a CPU-only torch lacks)
