from functools import partial

import pytest
import torch
from torch.nn import functional

from gan_lightning.networks.encoder import DCGANEncoder, JointDiscriminator, MLPEncoder


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("latent_dim", [1, 5])
@pytest.mark.parametrize(
    ("make", "shape"),
    [(MLPEncoder, (2,)), (MLPEncoder, (3, 4, 6)), (partial(DCGANEncoder, width=4), (1, 16, 16))],
)
def test_shapes(make, shape, latent_dim, stochastic):
    encoder = make(shape, latent_dim, stochastic=stochastic)
    expected = (6, 2, latent_dim) if stochastic else (6, latent_dim)
    assert encoder(torch.randn(6, *shape)).shape == expected
    assert encoder.stochastic is stochastic


def test_a_stochastic_encoders_rows_are_the_first_and_second_half_of_the_outputs():
    encoder = MLPEncoder((3,), 4, width=8, depth=1, stochastic=True).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    first, last = encoder.network.body[0], encoder.network.logit
    h = functional.leaky_relu(x @ first.weight.T + first.bias, 0.2)
    out = h @ last.weight.T + last.bias
    mean, log_variance = encoder(x).unbind(1)
    torch.testing.assert_close(mean, out[:, :4])
    torch.testing.assert_close(log_variance, out[:, 4:])


def test_the_joint_discriminator_is_the_written_out_one():
    d = JointDiscriminator((2,), 3, width=6).double()
    x, z = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    both = torch.cat([d.of_sample(x), z @ d.of_code.weight.T + d.of_code.bias], 1)
    both = torch.where(both > 0, both, 0.2 * both) @ d.joint.weight.T + d.joint.bias
    features = torch.where(both > 0, both, 0.2 * both)
    torch.testing.assert_close(d.features(x, z), features)
    logits = (features @ d.logit.weight.T + d.logit.bias)[:, 0]
    torch.testing.assert_close(d(x, z), logits)
    torch.testing.assert_close(d.from_features(features), logits)
    assert d.feature_dim == 6


def test_the_joint_discriminator_sees_both_and_uses_all_of_its_parameters():
    d = JointDiscriminator((1, 16, 16), 3, partial(DCGANEncoder, width=4, batch_norm=False), 8)
    x = torch.randn(4, 1, 16, 16, requires_grad=True)
    z = torch.randn(4, 3, requires_grad=True)
    logits = d(x, z)
    assert logits.shape == (4,)
    logits.sum().backward()
    assert x.grad.abs().sum() > 0
    assert z.grad.abs().sum() > 0
    assert [n for n, p in d.named_parameters() if p.grad is None] == []


def test_records():
    d = JointDiscriminator((2,), 3, partial(MLPEncoder, depth=1), width=6)
    network = {"class_path": "gan_lightning.networks.MLPEncoder", "init_args": {"depth": 1}}
    assert d.recorded["init_args"]["network"] == network
    assert d.recorded["class_path"] == "gan_lightning.networks.JointDiscriminator"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MLPEncoder((2,), 0), "`latent_dim` must be a positive integer, got 0"),
        (lambda: DCGANEncoder((1, 16, 16), -1), "`latent_dim` must be a positive integer, got -1"),
        (lambda: DCGANEncoder((1, 10, 10), 4), r"`image_shape` must be \(C, S, S\)"),
        (lambda: JointDiscriminator((2,), 3, width=0), "`width` must be a positive integer, got 0"),
        (lambda: JointDiscriminator((), 3), "`image_shape` must be a tuple of positive integers"),
    ],
)
def test_refused_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_refused_codes():
    d = JointDiscriminator((2,), 3, width=6)
    with pytest.raises(ValueError, match=r"`z` must have shape \(N, 3\), got \(5, 4\)"):
        d(torch.randn(5, 2), torch.randn(5, 4))
