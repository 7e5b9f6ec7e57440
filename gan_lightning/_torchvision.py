"""Let torchvision be imported beside a torch build that its compiled extension does not fit.

torchvision's Linux wheels on the package index are CUDA builds. Beside a CPU-only torch their
extension cannot be loaded, and ``import torchvision`` (hence ``import lightning``, through
torchmetrics) dies with "operator torchvision::nms does not exist", because torchvision registers
meta kernels for operators that only the extension defines. This package needs none of those
operators, so declaring their schemas is enough.

Every room that imports lightning or torchvision imports this module first.
"""

import importlib.util
import sys
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_library: torch.library.Library | None = None  # torch removes the schemas when this object dies


def _extension_loads() -> bool:
    """Whether torchvision's compiled extension can be loaded (loading it defines the operators)."""
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
        True when the schemas were declared here, False when torchvision brings its own operators
        or was imported before.
    """
    global _library
    if _library is not None:
        return True
    if "torchvision" in sys.modules or _extension_loads():
        return False
    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        _library.define(schema)  # type: ignore[no-untyped-call]
    return True


declare_missing_schemas()
