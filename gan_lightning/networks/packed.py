"""Packing, as a wrapper of any discriminator: Lin et al. 2018, "PacGAN", arXiv:1712.04086."""

from collections.abc import Callable

from torch import Tensor, nn

from gan_lightning.networks.base import (
    Network,
    check_positive,
    check_sample_shape,
    featured,
    offers_features,
)


class Packed(Network):
    r"""D(x_1, ..., x_m): one logit for m samples at once, joined along the first axis of a sample.

    Lin et al. 2018, section 3: a discriminator that sees m samples of the same distribution sees
    whether they vary as the data do, so that a collapsed generator is easy to tell. Nothing but the
    input changes: m C channels instead of C. The m samples of a pack are consecutive rows.

    Every other floating-point input (codes, say) is packed likewise. Labels are not:
    ``ConditionalDiscriminator(..., network=partial(Packed, DCGANDiscriminator, 2))`` gives each
    sample its label first and packs the pairs.

    Args:
        discriminator: A discriminator of packs, or what makes one from the shape of its input, such
            as ``partial(DCGANDiscriminator, width=32)``.
        m: Samples in a pack; 1 changes nothing.
        image_shape: Shape ``(C, ...)`` of one sample; needed if `discriminator` has yet to be made.

    Attributes:
        samples_per_input: m.
        feature_dim: Length of a pack's features, if the inner network has any.

    Raises:
        ValueError: If m is not a positive integer, or there is no shape to make the network for.

    References:
        | PacGAN: The power of two samples in generative adversarial networks (Lin et al., 2018)
        | https://arxiv.org/abs/1712.04086
    """

    def __init__(
        self,
        discriminator: nn.Module | Callable[[tuple[int, ...]], nn.Module],
        m: int = 2,
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        check_positive(m=m)
        self.samples_per_input = m
        self.network = _packed_network(discriminator, m, image_shape)
        if offers_features(self.network):
            self.feature_dim = self.network.feature_dim

    def pack(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs ``(N, C, ...)`` as ``(N/m, m C, ...)``: m consecutive rows side by side.

        Raises:
            ValueError: If m does not divide N, or an input is not floating-point.
        """
        return tuple(self._pack(x) for x in inputs)

    def _pack(self, x: Tensor) -> Tensor:
        m = self.samples_per_input
        if not x.is_floating_point():
            raise ValueError(
                "`Packed` must be given floating-point inputs, because labels have no channels to "
                f"join, got {x.dtype}; give each sample its label before they are packed: "
                "ConditionalDiscriminator(..., network=partial(Packed, DCGANDiscriminator, m))."
            )
        if len(x) % m:
            raise ValueError(
                f"`x` must have a number of rows that m = {m} divides, one for each sample of a "
                f"pack, got {len(x)}."
            )
        return x.reshape(len(x) // m, m * x.shape[1], *x.shape[2:])

    def features(self, *inputs: Tensor) -> Tensor:
        """Features of packs, ``(N/m, feature_dim)``, of samples ``(N, *image_shape)``."""
        return featured(self.network).features(*self.pack(*inputs))

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features of packs ``(N/m, feature_dim)``."""
        return featured(self.network).from_features(features)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits of packs, ``(N/m,)``, of samples ``(N, *image_shape)``."""
        logits: Tensor = self.network(*self.pack(*inputs))
        return logits


def _packed_network(
    discriminator: nn.Module | Callable[[tuple[int, ...]], nn.Module],
    m: int,
    image_shape: tuple[int, ...] | None,
) -> nn.Module:
    if isinstance(discriminator, nn.Module):
        return discriminator
    if image_shape is None:
        raise ValueError(
            "`image_shape` must be given where `discriminator` has yet to be made, got None."
        )
    channels, *sides = check_sample_shape(image_shape)
    return discriminator((m * channels, *sides))
