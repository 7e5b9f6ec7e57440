"""MS-SSIM and LPIPS of pairs of images of one set."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import signal
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchvision import models

from gan_lightning.metrics.functional._pairs import random_pairs
from gan_lightning.metrics.functional.lpips_diversity import lpips_diversity
from gan_lightning.metrics.functional.ms_ssim import ms_ssim, ms_ssim_diversity
from gan_lightning.metrics.lpips_diversity import LPIPS, LpipsDiversity, backbone_path
from gan_lightning.metrics.ms_ssim_diversity import MsSsimDiversity

WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def images(n=5, channels=2, side=28, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, channels, side, side, generator=generator, dtype=torch.float64) * 2 - 1
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1)


def square(x, y):
    return (x - y).square().mean((1, 2, 3))


def scipy_ms_ssim(x, y, scales, size=11):
    """From the definition, on pixels in 0..255, with two-dimensional windows."""
    x, y = (x + 1) * 127.5, (y + 1) * 127.5
    offsets = np.arange(size) - (size - 1) / 2
    line = np.exp(-(offsets**2) / (2 * (1.5 * size / 11) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = 1.0
    for scale in range(scales):
        structure, similarity = [], []
        for a, b in zip(x, y, strict=True):
            ma, mb, aa, bb, ab = (
                signal.convolve2d(s, window, mode="valid") for s in (a, b, a * a, b * b, a * b)
            )
            cs = (2 * (ab - ma * mb) + c2) / (aa - ma**2 + bb - mb**2 + c2)
            structure.append(cs)
            similarity.append(cs * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1))
        weight = WEIGHTS[scale] / WEIGHTS[:scales].sum()
        mean = np.mean(similarity if scale == scales - 1 else structure)
        value *= max(mean, 0) ** weight
        x, y = (
            np.pad(s, ((0, 0), (0, s.shape[1] % 2), (0, s.shape[2] % 2)), "edge") for s in (x, y)
        )
        x, y = ((s[:, ::2] + s[:, 1::2]) / 2 for s in (x, y))
        x, y = ((s[:, :, ::2] + s[:, :, 1::2]) / 2 for s in (x, y))
    return value


@pytest.mark.parametrize(
    ("side", "scales", "size"), [(28, 2, 11), (23, 2, 11), (176, 5, 11), (16, 1, 11), (8, 1, 8)]
)
def test_ms_ssim_equals_scipy(side, scales, size):
    x = images(1, side=side)
    y = 0.7 * x + 0.3 * images(1, side=side, seed=1)
    expected = scipy_ms_ssim(x[0].numpy(), y[0].numpy(), scales, size)
    assert ms_ssim(x, y).tolist() == [pytest.approx(expected, rel=1e-9)]
    assert 0.3 < expected < 1


def test_torchmetrics_differs_by_its_padding_only_a_little():
    x = images(1, 1, 192)
    y = 0.7 * x + 0.3 * images(1, 1, 192, seed=1)
    theirs = multiscale_structural_similarity_index_measure(
        (x + 1) / 2, (y + 1) / 2, data_range=1.0, normalize="relu"
    ).item()
    ours = ms_ssim(x, y).item()
    assert ours == pytest.approx(theirs, abs=0.02)
    assert ours != pytest.approx(theirs, rel=1e-6)


def test_diversity_equals_a_loop_over_all_pairs():
    x = images()
    both = [
        ms_ssim(x[i : i + 1], x[j : j + 1]).item() for i, j in itertools.combinations(range(5), 2)
    ]
    assert ms_ssim_diversity(x).item() == pytest.approx(np.mean(both), rel=1e-12)
    gaps = [
        square(x[i : i + 1], x[j : j + 1]).item() for i, j in itertools.combinations(range(5), 2)
    ]
    assert lpips_diversity(x, square, chunk=3).item() == pytest.approx(np.mean(gaps), rel=1e-12)


def test_labels_keep_pairs_within_classes():
    x, labels = images(6), torch.tensor([4, 4, 9, 9, 9, 7])  # one of class 7: no pairs
    means = [ms_ssim_diversity(x[:2]).item(), ms_ssim_diversity(x[2:5]).item()]
    found = ms_ssim_diversity(x, labels=labels).item()
    assert found == pytest.approx(np.mean(means), rel=1e-12)


def test_extremes():
    x = images(3)
    same = x[:1].expand(4, -1, -1, -1)
    assert ms_ssim_diversity(same).item() == pytest.approx(1, abs=1e-12)
    assert lpips_diversity(same, square).item() == 0
    constant = torch.tensor([-1.0, -1.0, 1.0]).view(3, 1, 1, 1).expand(3, 1, 28, 28)
    assert 0 < ms_ssim_diversity(constant).item() < 1
    opposite = torch.cat([x[:1], -x[:1]])
    assert ms_ssim_diversity(opposite).item() == 0  # anticorrelated: not NaN


def test_precisions():
    x = images(3).half()
    assert torch.equal(ms_ssim_diversity(x), ms_ssim_diversity(x.double()))
    seen = set()

    def noted(x, y):
        seen.update({x.dtype, y.dtype})
        return square(x, y)

    for dtype in (torch.float16, torch.bfloat16):
        exact = lpips_diversity(x.to(dtype).float(), square)
        assert torch.equal(lpips_diversity(x.to(dtype), noted), exact)
    assert seen == {torch.float32}
    bytes_ = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    floats = bytes_.double() / 127.5 - 1
    torch.testing.assert_close(ms_ssim_diversity(bytes_), ms_ssim_diversity(floats))
    found, expected = lpips_diversity(bytes_, square), lpips_diversity(floats, square)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("n", "pairs"), [(2, 1), (5, 10), (5, 7), (200, 50), (100_000, 300)])
def test_random_pairs_are_different_pairs(n, pairs):
    found = random_pairs(n, pairs, torch.Generator().manual_seed(0))
    assert found.shape == (pairs, 2)
    assert len(found.unique(dim=0)) == pairs
    assert bool((found[:, 1] >= 0).all() and (found[:, 1] < found[:, 0]).all())
    assert int(found.max()) < n


def test_random_pairs_are_uniform():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([random_pairs(8, 3, generator) for _ in range(5000)])
    counts = torch.bincount(drawn[:, 0] * 8 + drawn[:, 1])
    counts = counts[counts > 0]
    assert len(counts) == 28
    expected = 15_000 / 28
    assert float((counts - expected).abs().max()) < 5 * math.sqrt(expected)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda: ms_ssim_diversity(images(1)), "at least 2 images"),
        (lambda: ms_ssim_diversity(images() / 0), r"`images` must lie in \[-1, 1\]"),
        (lambda: ms_ssim_diversity(images(), 0), "`pairs` must be at least 1, got 0"),
        (lambda: ms_ssim_diversity(images(), labels=torch.zeros(5)), "`labels` must be integers"),
        (lambda: ms_ssim_diversity(images(), labels=torch.arange(5)), "a class of at least 2"),
        (lambda: lpips_diversity(images(1), square), "at least 2 images"),
        (lambda: lpips_diversity(images(), square, 0), "`pairs` must be at least 1, got 0"),
        (
            lambda: lpips_diversity(images(), square, 9, chunk=0),
            "`chunk` must be at least 1, got 0",
        ),
        (
            lambda: lpips_diversity(images(), lambda x, y: x),
            "`distance` must give one number a pair",
        ),
        (
            lambda: lpips_diversity(images(), lambda x, y: square(x, y) / 0),
            "must give finite numbers",
        ),
        (lambda: LPIPS("resnet"), "`net` must be one of alex, vgg, squeeze, got 'resnet'"),
    ],
)
def test_refusals(function, match):
    with pytest.raises(ValueError, match=match):
        function()


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (MsSsimDiversity(pairs=4), lambda x: ms_ssim_diversity(x, 4)),
        (LpipsDiversity(distance=square, pairs=4), lambda x: lpips_diversity(x, square, 4)),
    ],
)
def test_class_in_any_order(metric, function):
    x = images()
    metric.reset()
    metric.update(x)
    metric.update(x, real=True)  # passed over
    first = metric.compute()
    assert torch.equal(first, function(*metric.rows()))
    metric.reset()
    for part in x.flip(0).split(2):
        metric.update(part)
    assert torch.equal(metric.compute(), first)
    assert not metric.state_dict()


def test_lpips_without_its_backbone_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"needs the file alexnet-.*\.pth in .*checkpoints"):
        LpipsDiversity()


def test_lpips_with_a_backbone_of_random_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = backbone_path("squeeze")
    path.parent.mkdir()
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)
    before = torch.get_rng_state()
    metric = LpipsDiversity(net="squeeze")
    assert torch.equal(torch.get_rng_state(), before)
    x = images(3, 1, 32).float()
    metric.update(x)
    rows = metric.rows()[0].expand(-1, 3, -1, -1)
    net = LPIPS("squeeze").net
    gaps = [net(rows[i : i + 1], rows[j : j + 1]).item() for i, j in [(1, 0), (2, 0), (2, 1)]]
    assert metric.compute().item() == pytest.approx(np.mean(gaps), rel=1e-5)
    assert metric.compute() > 0
    assert not metric.state_dict()
    with pytest.raises(
        ValueError, match=r"sides of at least 32 pixels for LPIPS, got \(1, 28, 28\)"
    ):
        lpips_diversity(images(3, 1, 28), LPIPS("squeeze"))
