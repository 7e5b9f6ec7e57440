"""The discriminator's gradient at its input, which most penalties are functions of."""

import torch
from torch import Tensor

from gan_lightning.regularizers.base import Game, Inputs


def squared_gradient_norms(game: Game, inputs: Inputs) -> Tensor:
    r"""Squared norm of the gradient of D's logit, one for each thing that D judges.

    .. math:: \| \nabla_x l(x) \|^2

    The norm runs over everything real-valued that D is shown: all axes of a sample but the batch's,
    all samples of a pack (`Packed`), and codes that are judged together with the sample (BiGAN).
    Labels are integers and have no gradient. Always in float32 or better: under autocast it would
    be over 1 % off.

    Args:
        game: The family at play.
        inputs: What D is shown, N rows each. A graph to G, if there is one, stays: unrolling goes
            through it.

    Returns:
        ``(N / game.samples_per_input,)``, with a graph to D's parameters.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        inputs = tuple(_leaf(x) for x in inputs)
        points = [x for x in inputs if x.requires_grad]
        logits = game.judge(*inputs)
        # Zeros for what D does not look at: a joint discriminator may ignore the code.
        gradients = torch.autograd.grad(
            logits.sum(), points, create_graph=True, allow_unused=True, materialize_grads=True
        )
        # The samples of a pack are neighbours, so that a row holds the gradient of one logit.
        rows = [gradient.reshape(len(logits), -1) for gradient in gradients]
        return torch.stack([row.square().sum(1) for row in rows]).sum(0)


def _leaf(x: Tensor) -> Tensor:
    if not x.is_floating_point():
        return x
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    # A view of its own: after an unrolled step D's weights depend on the fakes as well, and the
    # gradient of the logit in its input must not go that way.
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
