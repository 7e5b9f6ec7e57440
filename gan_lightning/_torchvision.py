"""Let torchvision be imported beside a torch build that its compiled extension does not fit.

torchvision's Linux wheels on the package index are CUDA builds. Beside a CPU-only torch their
extension cannot be loaded, and ``import torchvision`` (hence ``import lightning``, through
torchmetrics) dies with "operator torchvision::nms does not exist", because torchvision registers
meta kernels for operators that only the extension defines. This package needs none of those
operators, so declaring their schemas is enough.

The package imports this module first; it waits for the import of torchvision, so that importing the
package costs no import of torch. `import lightning` alone, before this package, still dies there.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_library: Any = None  # torch removes the schemas when this object dies


def _extension_loads() -> bool:
    """Whether torchvision's compiled extension can be loaded (loading it defines the operators)."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    for folder in spec.submodule_search_locations or () if spec else ():
        for extension in Path(folder).glob("_C.*"):
            try:
                torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
            except (OSError, RuntimeError, ImportError):
                continue
            return True
    return False


def declare_missing_schemas() -> bool:
    """Declare the schemas of ``torchvision::nms`` and ``qnms`` if nothing else defines them.

    Returns:
        True when the schemas are declared here, False when torchvision brings its own operators or
        was imported before.
    """
    global _library
    if _library is not None:
        return True
    if "torchvision" in sys.modules or _extension_loads():
        return False
    import torch

    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        _library.define(schema)
    return True


class _BeforeTorchvision(MetaPathFinder):
    """Finds nothing itself, but is asked first."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare_missing_schemas()
        return None


if "torchvision" not in sys.modules:
    sys.meta_path.insert(0, _BeforeTorchvision())
