"""Loggers of a run: where they write, whether W&B is online, and which W&B run is continued."""

from __future__ import annotations

import configparser
import netrc
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonargparse import Namespace

from gan_lightning._cli.run_dir import logger_specs
from gan_lightning.runs import RunDirectory

__all__ = ["finish_wandb", "has_wandb_key", "prepare"]

_WANDB = "https://api.wandb.ai"


def prepare(loggers: Any, run: RunDirectory, resumed: bool) -> None:
    """Decide, before anything is built, what the configuration leaves open.

    Args:
        loggers: the configuration's ``trainer.logger``; changed in place.
        run: the run directory.
        resumed: whether the run goes on.

    Raises:
        ValueError: if W&B is to be online and no key is configured.
    """
    for logger in logger_specs(loggers):
        init_args = logger.get("init_args")
        if init_args is None:  # a class without arguments
            continue
        if init_args.get("save_dir") == "":
            init_args["save_dir"] = str(run.path)
            if logger["class_path"].endswith(".TensorBoardLogger"):
                _in_one_folder(init_args)
        if logger["class_path"].endswith(".WandbLogger"):
            _prepare_wandb(init_args, run, resumed)


def _in_one_folder(init_args: Namespace) -> None:
    """Let a resumed run go on in the same TensorBoard curve, not in a ``version_1``."""
    if init_args["name"] == "lightning_logs" and init_args["version"] is None:
        init_args["name"], init_args["version"] = "tensorboard", ""


def _prepare_wandb(init_args: Namespace, run: RunDirectory, resumed: bool) -> None:
    mode = os.environ.get("WANDB_MODE") or None
    asked = init_args["offline"]
    if asked is None:
        init_args["offline"] = mode is None and not has_wandb_key()
    if not init_args["offline"] and mode in (None, "online", "run") and not has_wandb_key():
        demand, remedy = "`offline` of WandbLogger must not be false", "leave `offline` out"
        if asked is None:
            demand, remedy = f"WANDB_MODE must not be {mode}", "unset WANDB_MODE"
        raise ValueError(
            f"{demand} without a W&B key, got no key in WANDB_API_KEY, the netrc file or W&B's "
            f"settings; run `wandb login` or {remedy}."
        )
    if init_args["id"] is None and init_args["version"] is None:
        init_args["id"] = _earlier_id(run) if resumed else None
        init_args["id"] = init_args["id"] or secrets.token_hex(4)
    if init_args["name"] is None:
        init_args["name"] = "/".join(run.path.parts[-2:])
    run.path.mkdir(parents=True, exist_ok=True)  # W&B would take the temporary folder instead


def _earlier_id(run: RunDirectory) -> str | None:
    if not run.run_json.is_file():
        return None
    earlier = run.read_run().get("wandb_id")
    return earlier if isinstance(earlier, str) else None


def has_wandb_key() -> bool:
    """Whether a key is configured in one of the places that W&B documents; asks no server.

    These are WANDB_API_KEY, an identity token, the settings files, and the netrc file. W&B's own
    function for this connects to the server when there is a key, and prompts when there is none.
    """
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    settings = _wandb_settings()
    if settings.get("api_key"):
        return True
    base_url = os.environ.get("WANDB_BASE_URL") or settings.get("base_url") or _WANDB
    host = urlsplit(base_url).hostname or ""
    home = Path.home()
    candidates = [home / ".netrc", home / "_netrc"]
    if "NETRC" in os.environ:
        candidates = [Path(os.environ["NETRC"]).expanduser()]
    for file in candidates:
        try:
            if netrc.netrc(str(file)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


def _wandb_settings() -> dict[str, str]:
    """The user's settings, overlaid by those of the working directory."""
    folder = os.environ.get("WANDB_CONFIG_DIR", "~/.config/wandb")
    files = configparser.ConfigParser(interpolation=None)
    try:
        files.read([Path(folder).expanduser() / "settings", Path("wandb") / "settings"])
    except (configparser.Error, UnicodeDecodeError):
        return {}
    return dict(files["default"]) if files.has_section("default") else {}


def finish_wandb() -> None:
    """End the W&B run, so that the next run of this process gets its own."""
    wandb = sys.modules.get("wandb")  # imported by the logger, if there was one
    if wandb is not None and wandb.run is not None:
        wandb.finish()
