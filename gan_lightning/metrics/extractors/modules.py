"""Networks of other people: any module, and TorchScript files."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.extractors.files import digest_of_file
from gan_lightning.metrics.extractors.preprocess import Preprocess

__all__ = ["AbstractBackbone", "ModuleExtractor", "TorchScriptExtractor"]


class AbstractBackbone(AbstractExtractor):
    """A network, what comes before it, and names for what comes out of it.

    Outputs ``(N, D, H, W)`` are averaged over positions.

    Args:
        name: The extractor's name.
        preprocess: How images are brought to the network.
        outputs: Names of the outputs.
    """

    def __init__(self, name: str, preprocess: Preprocess, outputs: Sequence[str]) -> None:
        super().__init__()
        self.name = name
        self.preprocess = preprocess
        self._outputs = tuple(outputs)

    @abstractmethod
    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The network's outputs, by name.

        Args:
            x: What `preprocess` made of the images.
        """

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """The names that were given."""
        return self._outputs

    @property
    def protocol(self) -> str:
        """How images are brought to the network."""
        return str(self.preprocess)

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """Each output ``(N, D)``.

        Raises:
            ValueError: If the network does not give the outputs, or not in such a shape.
        """
        found = self.run(self.preprocess(x))
        if missing := [name for name in self._outputs if name not in found]:
            raise ValueError(
                f"`outputs` must be among what {self.name} returns ({', '.join(found)}), got "
                f"{', '.join(missing)}."
            )
        return {name: self._rows(name, found[name], len(x)) for name in self._outputs}

    def _rows(self, name: str, rows: Tensor, samples: int) -> Tensor:
        if rows.ndim == 4:
            rows = rows.mean((2, 3))
        if rows.ndim != 2 or len(rows) != samples:
            raise ValueError(
                f"`{name}` must be (N, D) or (N, D, H, W) for N = {samples}, got "
                f"{tuple(rows.shape)} from {self.name}."
            )
        return rows


class ModuleExtractor(AbstractBackbone):
    """Any `nn.Module` that turns images into a tensor, or into a dict of tensors.

    Args:
        module: The network, already with its weights; it is frozen.
        name: Stands in the names of metrics, so say which network it is.
        preprocess: How images are brought to it; by default as they are, in [-1, 1].
        outputs: Names of the outputs: one if the module returns a tensor, else keys of its dict.

    Example:
        >>> extractor = ModuleExtractor(nn.Flatten(), "flat")
        >>> extractor(torch.zeros(2, 1, 4, 4))["features"].shape
        torch.Size([2, 16])
    """

    def __init__(
        self,
        module: nn.Module,
        name: str,
        preprocess: Preprocess | None = None,
        outputs: Sequence[str] = ("features",),
    ) -> None:
        super().__init__(name, preprocess or Preprocess(), outputs)
        self.network = module
        self.requires_grad_(False)

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The dict of the module, or its tensor under the one name.

        Raises:
            ValueError: If it returns something else.
        """
        found = self.network(x)
        if isinstance(found, Tensor) and len(self._outputs) == 1:
            return {self._outputs[0]: found}
        if not isinstance(found, Mapping):
            raise ValueError(
                f"`module` must return a tensor or a dict for the outputs "
                f"{', '.join(self._outputs)}, got a {type(found).__name__}."
            )
        return found


class TorchScriptExtractor(ModuleExtractor):
    """A network in a TorchScript file. Such a file is a program: open only those you trust.

    Args:
        path: The file.
        name: Stands in the names of metrics; by default the file's name without its ending.
        preprocess: As for `ModuleExtractor`.
        outputs: As for `ModuleExtractor`.

    Raises:
        FileNotFoundError: If there is no file.
    """

    def __init__(
        self,
        path: str | Path,
        name: str | None = None,
        preprocess: Preprocess | None = None,
        outputs: Sequence[str] = ("features",),
    ) -> None:
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(f"`path` must be a TorchScript file, found none at {file}.")
        with warnings.catch_warnings():  # TorchScript is on its way out, but files of it remain
            warnings.filterwarnings("ignore", ".*torch.jit.load.*", DeprecationWarning)
            network = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
        super().__init__(network, name or file.stem, preprocess, outputs)
        self._digest = digest_of_file(file)[:12]

    @property
    def protocol(self) -> str:
        """How images are brought to the network, and which program it is."""
        return f"{self.preprocess}, file {self._digest}"
