"""Statistics of the global batch, for costs that couple its samples."""

from torch import Tensor


def mean_over_ranks(statistic: Tensor, world_size: int) -> Tensor:
    """The mean of a statistic over all processes, differentiable.

    A cost f that is a function of means m over the *global* batch has the same value on every
    rank. Its backward pass sums f'(m) / W over the W ranks, so that each rank gets f'(m) times the
    gradient of its own part; DDP's mean over the ranks then gives the gradient of one process.

    Args:
        statistic: This rank's value, of the same shape on every rank.
        world_size: W.

    Returns:
        The mean, with a graph to this rank's part.
    """
    if world_size == 1:
        return statistic
    from torch.distributed.nn.functional import all_reduce  # differentiable

    total: Tensor = all_reduce(statistic.contiguous())  # type: ignore[no-untyped-call]
    return total / world_size
