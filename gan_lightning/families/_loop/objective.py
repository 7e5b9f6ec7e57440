"""What a family's loss methods return."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Objective:
    """One player's cost on one (micro-)batch.

    Attributes:
        loss: Scalar that the player minimises, a mean over the batch.
        d_real: Logits of real samples, `(N,)` or `(N, 1)`, for the log; None where there are none.
        d_fake: Logits of fakes, likewise.
        x_fake: The fakes, for regularizers that need them.
        real: All that D was shown of the real samples, if that is not `inputs(x, *given)`.
        fake: All that D was shown of the fakes, if that is not x_fake and, beside it, what stands
            beside x.
        logs: More scalars for the log, by their full name (`penalty/<name>`, ...).
        counts: Scalars of which the log shows the mean over all updates since its last row.
    """

    loss: Tensor
    d_real: Tensor | None = None
    d_fake: Tensor | None = None
    x_fake: Tensor | None = None
    real: tuple[Tensor, ...] | None = None
    fake: tuple[Tensor, ...] | None = None
    logs: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, Tensor] = field(default_factory=dict)

    def scalars(self, player: str) -> dict[str, Tensor]:
        """Everything to log, detached, under the names that all families share."""
        row = {f"loss/{player}": self.loss.detach()}
        for kind, logits in (("real", self.d_real), ("fake", self.d_fake)):
            if logits is not None:
                exact = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))
                row[f"logits/{kind}"] = exact.mean()
                row[f"sign/{kind}"] = exact.sign().mean()
        row.update((name, value.detach()) for name, value in self.logs.items())
        return row
