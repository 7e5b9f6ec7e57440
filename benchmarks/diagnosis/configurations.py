"""The corpus: which games are played, what each is expected to show, and which half it is in.

What a configuration is *made* to show is a hope. What a run shows is decided by `truth.py`, which
looks at it from outside. Of configurations made alike one half is held out (0110 0110 ...), so that
both halves have all kinds and no configuration is in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from games import Game


@dataclass(frozen=True)
class Configuration:
    """A game with a name.

    Attributes:
        name: Of the configuration.
        made: What it is made to show: "healthy" or a kind of failure.
        game: What is played.
        heldout: Whether thresholds must not see it.
    """

    name: str
    made: str
    game: Game
    heldout: bool

    @property
    def seeds(self) -> range:
        """Of the runs: images cost more, so most of their configurations are played twice only."""
        points = self.game.data in ("ring", "grid")
        return range(3 if points or self.made == "overfitting" else 2)


WGANGP: dict[str, Any] = {
    "family": "WGANGP",
    "k": 3,
    "beta1": 0.0,
    "own": {"penalty_weight": 0.1},
}
WGAN: dict[str, Any] = {"family": "WGAN", "k": 5, "optimizer": "rmsprop", "own": {"clip": 0.1}}
RELATIVISTIC: dict[str, Any] = {"family": "RelativisticGAN", "gamma": 0.05, "beta1": 0.0}
NS: dict[str, Any] = {"family": "NonSaturatingGAN"}
MINIMAX: dict[str, Any] = {"family": "MinimaxGAN"}
LS: dict[str, Any] = {"family": "LSGAN"}
HINGE: dict[str, Any] = {"family": "HingeGAN"}
PAC: dict[str, Any] = {"family": "PacGAN", "pack": 2, "batch": 256}
UNCLIPPED: dict[str, Any] = {"family": "WGAN", "own": {"clip": 1e6}}
EXPONENTIAL: dict[str, Any] = {"family": "MaximumLikelihoodGAN"}

RING: dict[str, Any] = {"data": "ring"}
GRID: dict[str, Any] = {"data": "grid", "width": (128, 128), "steps": 4000}
FEWER: dict[str, Any] = {"steps": 2000}

HEALTHY_POINTS: dict[str, list[dict[str, Any]]] = {
    "ring": [
        NS,
        NS | {"gamma": 0.1},
        NS | {"lr": (5e-4, 1e-3)},
        NS | {"lr": (2e-3, 2e-3), "gamma": 0.05},
        NS | {"latent": 16},
        NS | {"batch": 256, "gamma": 0.02},
        NS | {"width": (128, 128)},
        LS,
        LS | {"lr": (2e-3, 2e-3)},
        LS | {"latent": 2},
        LS | {"batch": 256},
        LS | {"gamma": 0.05},
        LS | {"width": (128, 64)},
        HINGE | {"gamma": 0.1},
        HINGE | {"gamma": 0.3, "lr": (1e-3, 2e-3)},
        HINGE | {"gamma": 0.1, "latent": 16},
        RELATIVISTIC,
        RELATIVISTIC | {"gamma": 0.1},
        RELATIVISTIC | {"gamma": 0.02, "latent": 2},
        RELATIVISTIC | {"lr": (2e-3, 2e-3)},
        WGANGP | FEWER,
        WGANGP | FEWER | {"own": {"penalty_weight": 1.0}},
        WGANGP | FEWER | {"latent": 16},
        WGANGP | FEWER | {"lr": (5e-4, 5e-4)},
        WGAN | FEWER,
        WGAN | FEWER | {"lr": (5e-4, 5e-4)},
        WGAN | FEWER | {"own": {"clip": 0.05}},
        PAC,
        PAC | {"lr": (2e-3, 2e-3)},
        PAC | {"gamma": 0.05},
    ],
    "grid": [
        NS | {"gamma": 0.02, "lr": (1e-3, 2e-3)},
        NS | {"gamma": 0.1},
        NS | {"gamma": 0.05, "batch": 256},
        LS,
        LS | {"gamma": 0.05},
        LS | {"lr": (5e-4, 1e-3)},
        RELATIVISTIC,
        RELATIVISTIC | {"gamma": 0.1},
        WGANGP | {"steps": 2500},
        WGANGP | {"steps": 2500, "own": {"penalty_weight": 1.0}},
        WGAN | {"steps": 2500},
        PAC,
        PAC | {"gamma": 0.05},
        MINIMAX | {"gamma": 0.1},
    ],
}

FAST_G: dict[str, Any] = {"lr": (1e-2, 1e-3), "decay": False}
FAST_D: dict[str, Any] = {"lr": (1e-3, 1e-2), "decay": False}
FAST: dict[str, Any] = {"lr": (1e-2, 1e-2), "decay": False, "beta1": 0.9}
SLOW_D: dict[str, Any] = {"lr": (1e-3, 1e-5), "decay": False}
STRONG_D: dict[str, Any] = {"lr": (1e-4, 1e-2), "k": 5, "width": (64, 256), "steps": 1200}
CONSTANT: dict[str, Any] = {"fault": "constant"}
RANGE: dict[str, Any] = {"fault": "range"}
GROWING: dict[str, Any] = {"fault": "growing"}

FAILING_POINTS: dict[str, list[dict[str, Any]]] = {
    "mode collapse": [
        NS | CONSTANT,
        LS | CONSTANT | GRID,
        WGANGP | CONSTANT | FEWER,
        HINGE | CONSTANT | {"gamma": 0.1},
        NS | FAST_G,
        NS | FAST_G | GRID,
        MINIMAX | FAST_G,
        HINGE | FAST_G,
        LS | FAST_G | {"lr": (2e-2, 1e-3)},
        NS | {"lr": (1e-2, 1e-4), "decay": False},
        NS | {"lr": (5e-3, 2e-4), "decay": False} | GRID,
        NS | {"width": (128, 8), "lr": (5e-3, 1e-3), "decay": False},
        NS | {"latent": 1, "lr": (5e-3, 1e-3), "decay": False},
        HINGE | {"updates": "simultaneous", "lr": (5e-3, 5e-3), "beta1": 0.9, "decay": False},
        NS | {"batch": 4, "lr": (5e-3, 1e-3), "decay": False},
        PAC | FAST_G | {"lr": (2e-2, 1e-3)},
    ],
    "discriminator wins": [
        MINIMAX | STRONG_D,
        MINIMAX | STRONG_D | {"lr": (1e-5, 1e-3)},
        MINIMAX | STRONG_D | {"data": "grid"},
        MINIMAX | {"lr": (1e-4, 1e-2), "decay": False, "width": (64, 256)},
        NS | {"lr": (1e-5, 1e-2), "decay": False},
        HINGE | STRONG_D,
        LS | {"lr": (1e-5, 1e-2), "decay": False},
        LS | STRONG_D | {"lr": (1e-5, 1e-2), "data": "grid"},
        NS | RANGE | {"lr": (1e-5, 1e-3)},
        MINIMAX | RANGE,
        LS | RANGE | {"lr": (1e-5, 1e-3)},
        HINGE | RANGE | {"lr": (1e-5, 1e-3)},
    ],
    "generator wins": [
        NS | SLOW_D,
        NS | SLOW_D | {"lr": (1e-3, 1e-7)},
        NS | SLOW_D | GRID,
        LS | SLOW_D | {"lr": (1e-3, 1e-6)},
        HINGE | SLOW_D | {"lr": (1e-3, 1e-6)},
        MINIMAX | SLOW_D | {"lr": (1e-3, 1e-6)},
        RELATIVISTIC | SLOW_D | {"lr": (1e-3, 1e-6)},
        NS | {"width": (64, 1)},
        LS | {"width": (64, 1)},
        HINGE | {"width": (64, 1), "data": "grid"},
        NS | {"width": (64, 2), "data": "grid"},
        NS | {"gamma": 100.0},
    ],
    "no progress": [
        NS | {"lr": (1e-6, 1e-6), "decay": False},
        NS | {"lr": (1e-6, 1e-3), "decay": False},
        LS | {"lr": (1e-6, 1e-6), "decay": False},
        WGANGP | {"lr": (1e-6, 1e-6), "decay": False} | FEWER,
        HINGE | {"lr": (1e-6, 1e-4), "decay": False, "data": "grid"},
        WGAN | {"lr": (1e-7, 1e-3), "decay": False} | FEWER,
    ],
    "oscillation": [
        UNCLIPPED | {"updates": "simultaneous", "decay": False},
        UNCLIPPED | {"updates": "simultaneous", "decay": False, "lr": (1e-4, 1e-4)},
        UNCLIPPED | {"updates": "simultaneous", "decay": False, "lr": (3e-4, 3e-4), "beta1": 0.9},
        UNCLIPPED | {"decay": False, "beta1": 0.9, "lr": (3e-4, 3e-4)},
        UNCLIPPED | {"decay": False, "lr": (1e-3, 1e-3)} | GRID,
        WGAN | {"k": 1, "own": {"clip": 0.5}, "lr": (1e-3, 1e-3), "decay": False},
        WGAN | {"k": 1, "own": {"clip": 0.3}, "lr": (2e-3, 2e-3), "decay": False},
        NS | FAST,
        NS | {"updates": "simultaneous", "beta1": 0.9, "lr": (5e-3, 5e-3), "decay": False},
        MINIMAX | {"updates": "simultaneous", "beta1": 0.9, "lr": (3e-3, 3e-3), "decay": False},
        HINGE | FAST | GRID,
        NS | {"latent": 1, "beta1": 0.9, "lr": (5e-3, 5e-3), "decay": False},
        MINIMAX | {"lr": (3e-3, 3e-3), "decay": False, "beta1": 0.9, "width": (128, 128)},
        HINGE | {"lr": (3e-3, 3e-3), "decay": False, "beta1": 0.9},
    ],
    "divergence": [
        NS | GROWING,
        LS | GROWING,
        HINGE | GROWING | GRID,
        WGANGP | GROWING | FEWER,
        MINIMAX | GROWING,
        RELATIVISTIC | GROWING,
        UNCLIPPED | {"lr": (1e-2, 1e-2), "decay": False},
        UNCLIPPED | {"lr": (1e-3, 1e-2), "decay": False, "k": 5, "steps": 1500},
        EXPONENTIAL | {"lr": (1e-1, 1e-1), "decay": False},
        LS | {"lr": (1.0, 1.0), "decay": False},
        NS | {"lr": (1.0, 1.0), "decay": False},
        HINGE | {"lr": (1.0, 1.0), "decay": False},
    ],
}

DIGITS: dict[str, Any] = {
    "data": "digits",
    "latent": 32,
    "batch": 32,
    "lr": (5e-4, 5e-4),
    "width": (16, 16),
    "steps": 1200,
    "decay": False,
}
FASHION: dict[str, Any] = DIGITS | {"data": "fashion"}
FEW: dict[str, Any] = {"limit": 100, "steps": 1500}

HEALTHY_IMAGES: list[dict[str, Any]] = [
    DIGITS | NS,
    DIGITS | NS | {"lr": (3e-4, 3e-4), "width": (24, 24)},
    DIGITS | LS,
    DIGITS | LS | {"latent": 64},
    DIGITS | HINGE | {"spectral": True},
    DIGITS | HINGE | {"spectral": True, "lr": (3e-4, 6e-4)},
    DIGITS | RELATIVISTIC | {"batch_norm": False, "gamma": 1.0},
    DIGITS | PAC | {"batch": 64},
    FASHION | NS,
    FASHION | NS | {"lr": (3e-4, 3e-4), "latent": 64},
    FASHION | LS,
    FASHION | LS | {"width": (24, 24)},
    FASHION | HINGE | {"spectral": True},
    FASHION | HINGE | {"spectral": True, "batch": 64},
    FASHION | RELATIVISTIC | {"batch_norm": False, "gamma": 1.0},
    FASHION | PAC | {"batch": 64},
]

FAILING_IMAGES: dict[str, list[dict[str, Any]]] = {
    "mode collapse": [
        DIGITS | NS | {"latent": 1},  # the failure-mode guide's first impaired model
        FASHION | NS | {"latent": 1},
        DIGITS | LS | CONSTANT,
        FASHION | NS | CONSTANT,
        DIGITS | NS | {"lr": (2e-2, 5e-4)},
        FASHION | HINGE | {"lr": (2e-2, 5e-4), "spectral": True},
    ],
    "discriminator wins": [
        # Images of the wrong range are refused before the first step, so they are not here.
        DIGITS | MINIMAX | {"lr": (2e-5, 5e-3), "batch_norm": False, "k": 5, "steps": 500},
        FASHION | NS | {"lr": (1e-6, 2e-3), "batch_norm": False, "steps": 800},
        FASHION | MINIMAX | {"lr": (5e-5, 5e-3), "batch_norm": False, "k": 2, "steps": 800},
        DIGITS | MINIMAX | {"lr": (5e-5, 5e-3), "batch_norm": False, "k": 2, "steps": 800},
        DIGITS | NS | {"kernel": 1},
        FASHION | MINIMAX | {"kernel": 1},
    ],
    "no progress": [
        # The guide's second impaired model: Adam as it comes, no normalisation.
        DIGITS | NS | {"kernel": 3, "lr": (1e-2, 1e-2), "beta1": 0.9},
        FASHION | NS | {"kernel": 3, "lr": (1e-2, 1e-2), "beta1": 0.9},
    ],
    "generator wins": [
        DIGITS | NS | {"lr": (5e-4, 1e-7)},
        FASHION | LS | {"lr": (5e-4, 1e-7)},
    ],
    "overfitting": [
        DIGITS | NS | FEW,
        FASHION | NS | FEW,
        DIGITS | HINGE | FEW | {"batch_norm": False},
        FASHION | HINGE | FEW | {"batch_norm": False},
        DIGITS | LS | FEW | {"limit": 200},
        FASHION | LS | FEW | {"limit": 200},
        DIGITS | NS | FEW | {"limit": 200, "batch_norm": False},
        FASHION | NS | FEW | {"limit": 200, "batch_norm": False},
        DIGITS | NS | FEW | {"limit": 50},
        FASHION | NS | FEW | {"limit": 50},
        DIGITS | HINGE | FEW | {"batch_norm": False, "limit": 50},
        FASHION | HINGE | FEW | {"batch_norm": False, "limit": 50},
        DIGITS | LS | FEW | {"batch_norm": False, "limit": 50},
        FASHION | LS | FEW | {"batch_norm": False, "limit": 50},
        DIGITS | NS | FEW | {"batch_norm": False, "limit": 50},
        FASHION | NS | FEW | {"batch_norm": False, "limit": 50},
    ],
}


def configurations() -> Iterator[Configuration]:
    """All of them, points first."""
    for data, games in HEALTHY_POINTS.items():
        base = RING if data == "ring" else GRID
        yield from _named("healthy", [base | game for game in games])
    for made, games in FAILING_POINTS.items():
        yield from _named(made, games)
    yield from _named("healthy", HEALTHY_IMAGES)
    for made, games in FAILING_IMAGES.items():
        yield from _named(made, games)


def _named(made: str, games: list[dict[str, Any]]) -> Iterator[Configuration]:
    for i, arguments in enumerate(games):
        game = Game(**arguments)
        name = f"{made.replace(' ', '_')}-{game.data}-{game.family.lower()}-{i}"
        yield Configuration(name, made, game, heldout=(i + i // 2) % 2 == 1)
