import importlib
import math

import pytest
import torch

from gan_lightning.metrics.functional import mean_pairwise_distance

pairwise = importlib.import_module("gan_lightning.metrics.functional.pairwise")


@pytest.mark.parametrize("entries", [1, 50, 400, 2**22])
@pytest.mark.parametrize("n", [2, 3, 41])
def test_against_pdist_in_blocks_of_any_size(monkeypatch, n, entries):
    monkeypatch.setattr(pairwise, "_ENTRIES", entries)
    x = torch.randn(n, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(mean_pairwise_distance(x), torch.pdist(x.flatten(1)).mean())


def test_by_hand():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    assert mean_pairwise_distance(x).item() == pytest.approx((5 + 3 + 4) / 3, rel=1e-15)
    assert mean_pairwise_distance(torch.tensor([1, 4])).item() == 3  # numbers are points too


def test_gaussians():
    """E|x - y| = 2 sigma / sqrt(pi) in one dimension; the estimate is within five of its errors."""
    sigma, n = 3.0, 20_000
    distance = mean_pairwise_distance(sigma * torch.randn(n, 1)).item()
    assert distance == pytest.approx(2 * sigma / math.sqrt(math.pi), abs=5 * 2 * sigma / n**0.5)


def test_close_pairs_keep_their_digits():
    x = 1e3 + torch.tensor([[0.0, 0.0], [3e-6, 4e-6]], dtype=torch.float64)
    x = torch.cat([x, x[:1].expand(40, 2)])  # above 25 rows torch.cdist would multiply matrices
    expected = 41 * 5e-6 / (42 * 41 / 2)
    assert mean_pairwise_distance(x).item() == pytest.approx(expected, rel=1e-6)


def test_a_collapsed_set_and_its_precision():
    assert mean_pairwise_distance(torch.ones(9, 4)).item() == 0
    value = mean_pairwise_distance(torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8))
    assert value.dtype == torch.float64
    assert not mean_pairwise_distance(torch.randn(3, 2, requires_grad=True)).requires_grad


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), ()])
def test_fewer_than_two_samples_are_refused(shape):
    with pytest.raises(ValueError, match="`x` must hold at least 2 samples, got shape"):
        mean_pairwise_distance(torch.zeros(shape))
