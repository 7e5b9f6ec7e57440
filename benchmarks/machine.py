"""What a results table has to say about the machine that it comes from."""

import logging
import os
import platform
import sys
import warnings
from pathlib import Path

import lightning
import torch

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "bf16")


def quiet() -> None:
    """No notes of Lightning's about devices and stopping, hundreds of times."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 itself (elsewhere it is emulated, and slower)."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & _cpu("flags", "Features"))


def describe(title: str, protocol: str) -> str:
    """Markdown: a title, and how the numbers below it came about."""
    flags = _cpu("flags", "Features")
    model = " ".join(sorted(_cpu("model name"), key=str)) or platform.machine()
    script = Path(sys.argv[0]).resolve().relative_to(Path(__file__).resolve().parents[1])
    command = ["python", script.as_posix(), *sys.argv[1:]]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"- Command: `{' '.join(command)}`; {protocol}.",
            f"- Machine: {model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
            f"{', '.join(flag for flag in _FLAGS if flag in flags) or 'flags unknown'}.",
            f"- Versions: Python {platform.python_version()}, torch {torch.__version__}, "
            f"lightning {lightning.__version__}.",
            "- GPU: not measured.",
        ]
    )


def _cpu(*fields: str) -> set[str]:
    """The words of the first such line of the kernel's description of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in fields:
            return {value.strip()} if fields == ("model name",) else set(value.split())
    return set()
