import pytest
import torch
from torch.nn import functional

from gan_lightning.networks.laplacian import LaplacianDiscriminator, LaplacianGenerator
from gan_lightning.networks.layers.pyramid import down, laplacian_pyramid, reconstruct, up


def images(*shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype) * 2 - 1


# --- the pyramid ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("levels", [0, 1, 2, 4])
@pytest.mark.parametrize("shape", [(3, 1, 16, 16), (2, 3, 32, 48)])
def test_reconstruction(shape, levels, dtype, tolerance):
    x = images(*shape, dtype=dtype)
    details, coarsest = laplacian_pyramid(x, levels)
    assert len(details) == levels
    torch.testing.assert_close(reconstruct(details, coarsest), x, rtol=0, atol=tolerance)


def test_a_step_down_is_the_mean_of_four_pixels():
    x = images(2, 3, 4, 6)
    expected = torch.stack([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(0)
    torch.testing.assert_close(down(x), expected)


def test_a_step_up_is_the_kernel_1_3_3_1_along_each_side():
    x = images(2, 3, 4, 5)

    def along_last(x):
        left = torch.cat([x[..., :1], x[..., :-1]], -1)  # the border is repeated
        right = torch.cat([x[..., 1:], x[..., -1:]], -1)
        return torch.stack([(left + 3 * x) / 4, (3 * x + right) / 4], -1).flatten(-2)

    expected = along_last(along_last(x).transpose(2, 3)).transpose(2, 3)
    torch.testing.assert_close(up(x), expected)


def test_mean_and_range_are_kept():
    x = images(4, 1, 8, 8)
    torch.testing.assert_close(down(x).mean((2, 3)), x.mean((2, 3)))
    torch.testing.assert_close(up(x).mean((2, 3)), x.mean((2, 3)))
    assert up(x).max() <= x.max() + 1e-15
    assert up(x).min() >= x.min() - 1e-15


def test_the_details_of_a_flat_image_are_nothing():
    details, coarsest = laplacian_pyramid(torch.full((1, 1, 8, 8), 0.3), 2)
    torch.testing.assert_close(coarsest, torch.full((1, 1, 2, 2), 0.3))
    for h in details:
        assert h.abs().max() < 1e-7


@pytest.mark.parametrize("shape", [(1, 1, 7, 8), (1, 1, 8, 7), (1, 8, 8)])
def test_refused_images(shape):
    with pytest.raises(ValueError, match=r"`x` must have shape \(N, C, H, W\) with even H, W, got"):
        down(torch.zeros(shape))


# --- the generator -------------------------------------------------------------------------------


def generator(levels=2, latent_dim=11, shape=(3, 16, 16)):
    return LaplacianGenerator(shape, latent_dim, levels, width=4).double()


def test_every_level_has_its_part_of_z():
    z = torch.arange(22.0).view(2, 11)
    parts = generator().split(z)
    assert [tuple(p.shape) for p in parts] == [(2, 3), (2, 3), (2, 5)]  # the coarsest has the rest
    assert torch.equal(torch.cat(parts, 1), z)


def test_sampling_is_the_composition_from_the_coarsest_level_up():
    g = generator()
    with torch.no_grad():
        g.networks[0].body[-1].bias.fill_(1.2)  # so that something is cut off
    z = torch.randn(4, 11, dtype=torch.float64)
    z_0, z_1, z_2 = z[:, :3], z[:, 3:6], z[:, 6:]
    i_2 = g.networks[2](z_2)
    l_1 = functional.interpolate(i_2, scale_factor=2, mode="bilinear")
    i_1 = (l_1 + g.networks[1](z_1, l_1)).clamp(-1, 1)
    l_0 = functional.interpolate(i_1, scale_factor=2, mode="bilinear")
    i_0 = l_0 + g.networks[0](z_0, l_0)
    assert i_0.abs().max() > 1
    assert i_2.shape == (4, 3, 4, 4)
    torch.testing.assert_close(g(z), i_0.clamp(-1, 1), rtol=0, atol=0)


def test_details_are_a_network_of_the_coarse_image_and_a_plane_of_noise():
    network = generator().networks[0]
    z, l_0 = torch.randn(2, 3).double(), images(2, 3, 16, 16)
    plane = (z @ network.plane.weight.T + network.plane.bias).view(2, 1, 16, 16)
    h = torch.cat([l_0, plane], 1)
    for i in (0, 2, 4):
        h = functional.conv2d(h, network.body[i].weight, network.body[i].bias, padding=2)
        h = h.clamp(min=0) if i < 4 else h
    torch.testing.assert_close(network(z, l_0), h)


def test_real_stages_are_the_pyramid():
    x = images(2, 3, 16, 16)
    details, coarsest = laplacian_pyramid(x, 2)
    *stages, last = generator().stages(x)
    for h, (h_k, l_k), i_k in zip(details, stages, (x, down(x)), strict=True):
        assert torch.equal(h_k, h)
        assert torch.equal(l_k, up(down(i_k)))
    assert torch.equal(last[0], coarsest)


def test_fakes_have_the_real_coarse_images():
    g, x, z = generator(), images(4, 3, 16, 16), torch.randn(4, 11).double()
    real = g.stages(x)
    fake = g.fakes(z, real)
    parts = g.split(z)
    for k in (0, 1):
        assert fake[k][1] is real[k][1]
        torch.testing.assert_close(fake[k][0], g.networks[k](parts[k], real[k][1]))
    torch.testing.assert_close(fake[2][0], g.networks[2](parts[2]))
    assert [len(stage) for stage in fake] == [2, 2, 1]


# --- the discriminator ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 24), (1, 12, 20)])
def test_logits_of_stages_and_their_sum(shape):
    d = LaplacianDiscriminator(shape, levels=2, width=4).double()
    g = generator(shape=shape)
    x = images(5, *shape)
    logits = d.judge_stages(g.stages(x))
    assert [tuple(d.shape) for d in logits] == [(5,)] * 3
    torch.testing.assert_close(d(x), logits[0] + logits[1] + logits[2])


def test_a_level_sees_the_sum_of_details_and_coarse_image():
    d = LaplacianDiscriminator((3, 8, 8), levels=1, width=4).double()
    h, coarse, shift = images(2, 3, 8, 8), images(2, 3, 8, 8), images(2, 3, 8, 8)
    network = d.networks[0]
    torch.testing.assert_close(network(h, coarse), network(h + shift, coarse - shift))
    maps = h + coarse
    for i in (0, 2):
        conv = network.body[i]
        maps = functional.conv2d(maps, conv.weight, conv.bias, stride=2, padding=2)
        maps = torch.where(maps > 0, maps, 0.2 * maps)
    logits = maps.flatten(1) @ network.logit.weight.T + network.logit.bias
    torch.testing.assert_close(network(h, coarse), logits[:, 0])


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"image_shape": (1, 18, 16)}, r"`image_shape` .* 2\*\*levels = 4 divides, got \(1, 18"),
        ({"image_shape": (2,)}, r"`image_shape` must be \(C, H, W\) .*, got \(2,\)"),
        ({"levels": 0}, "`levels` must be a positive integer, got 0"),
        ({"width": 0}, "`width` must be a positive integer, got 0"),
    ],
)
def test_refused_arguments(kwargs, match):
    kwargs = {"image_shape": (1, 16, 16)} | kwargs
    with pytest.raises(ValueError, match=match):
        LaplacianDiscriminator(**kwargs)
    with pytest.raises(ValueError, match=match):
        LaplacianGenerator(latent_dim=10, **kwargs)


def test_refused_latent_dim():
    with pytest.raises(ValueError, match=r"`latent_dim` must be at least levels \+ 1 = 3, .* 2"):
        LaplacianGenerator((1, 16, 16), 2)
    with pytest.raises(ValueError, match=r"`z` must have shape \(N, 11\), got \(2, 10\)"):
        generator()(torch.zeros(2, 10).double())
