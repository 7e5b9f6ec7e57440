"""Spectral normalisation of whole networks: Miyato et al. 2018, arXiv:1802.05957."""

from typing import TypeVar

from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrizations import spectral_norm

_Module = TypeVar("_Module", bound=nn.Module)


def spectrally_normalised(network: _Module) -> _Module:
    r"""Divide the weight of every linear, convolutional and embedding layer by its spectral norm.

    .. math:: \bar W = W / \sigma(W)

    (Miyato et al. 2018, Eq. 8), with :math:`\sigma` the largest singular value of the weight as a
    matrix whose rows are the output channels. One power iteration for every forward pass in
    training mode keeps the estimate of :math:`\sigma` (their Algorithm 1); in evaluation mode it
    stays put. A fully connected network with LeakyReLU is then 1-Lipschitz; a convolution is so
    only up to a constant that depends on kernel and stride, and batch norm undoes the bound.

    Args:
        network: Initialised: the weights it has now become ``parametrizations.weight.original``.

    Returns:
        The same network, changed in place.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Embedding | _ConvNd):
            spectral_norm(layer)
    return network
