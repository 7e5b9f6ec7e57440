import math

import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity
from vendi_score import vendi

from gan_lightning.metrics.functional.vendi import vendi_score

ORDERS = [0.1, 0.5, 0.95, 1.0, 1.05, 2.0, 5.0, 60.0, math.inf]


@pytest.mark.filterwarnings("ignore:.*csr_matrix:DeprecationWarning")  # of vendi_score
@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize(("n", "d"), [(40, 7), (7, 40), (20, 20)])
def test_equals_vendi_scores_package_on_the_kernel(n, d, q):
    x = torch.rand(n, d).double() + 0.1
    if q < 1:  # the package counts rounding errors as eigenvalues of a singular kernel
        x = x[:d]
    kernel = cosine_similarity(x)
    expected = vendi.score_K(kernel, "inf" if q == math.inf else q)
    assert vendi_score(x, q).item() == pytest.approx(expected, rel=1e-8)


def test_equals_the_definition_in_the_dual():
    x = torch.randn(50, 4).double()
    unit = x / x.norm(dim=1, keepdim=True)
    share = torch.linalg.svdvals(unit).square() / 50
    for q in (0.1, 0.5, 2.0):
        expected = share.pow(q).sum().log().div(1 - q).exp()
        assert vendi_score(x, q).item() == pytest.approx(expected.item(), rel=1e-9)
    assert vendi_score(x).item() == pytest.approx(vendi.score_dual(x.numpy()), rel=1e-9)


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize("n", [6, 60])
def test_kinds_that_are_orthogonal_are_counted(n, q):
    x = 3.0 * torch.eye(6, 10).repeat(n // 6, 1) * torch.rand(n, 1).add(0.1)
    assert vendi_score(x, q).item() == pytest.approx(6, rel=1e-12)


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize("d", [3, 50])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e3, 1e-200])
def test_a_collapsed_generator_scores_1(value, d, q):
    found = vendi_score(torch.full((20, d), value, dtype=torch.float64), q)
    assert found.item() == pytest.approx(1, abs=1e-12)


def test_samples_of_zeros_are_one_more_kind():
    x = torch.cat([torch.eye(3), torch.zeros(1, 3)]).repeat(5, 1)
    assert vendi_score(x).item() == pytest.approx(4, rel=1e-12)


def test_orders_near_1_are_continuous():
    x = torch.rand(30, 5).double()
    limit = vendi_score(x).item()
    for gap in (1e-12, 1e-8, 1e-5):
        assert vendi_score(x, 1 + gap).item() == pytest.approx(limit, rel=3 * gap + 1e-12)
        assert vendi_score(x, 1 - gap).item() == pytest.approx(limit, rel=3 * gap + 1e-12)


@pytest.mark.parametrize("q", [0.0, -1.0, math.nan])
def test_refuses_other_orders(q):
    with pytest.raises(ValueError, match=rf"`q` must be in \(0, infinity\], got {q}"):
        vendi_score(torch.randn(5, 3), q)
