import math

import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist, jensenshannon

from gan_lightning.metrics.functional.ndb import ndb, ndb_bins


def test_equals_the_definition_with_given_bins():
    real, fake = torch.randn(500, 3).double(), torch.randn(400, 3).double() + 0.2
    centres = torch.randn(12, 3).double()
    found = ndb(real, fake, centres)
    p, q = (
        torch.from_numpy(cdist(x, centres).argmin(1)).bincount(minlength=12) / len(x)
        for x in (real.double(), fake.double())
    )
    different = 0
    for k in range(12):
        pooled = (500 * p[k].item() + 400 * q[k].item()) / 900
        z = (q[k].item() - p[k].item()) / math.sqrt(pooled * (1 - pooled) * (1 / 500 + 1 / 400))
        assert found.z[k].item() == pytest.approx(z, rel=1e-5, abs=1e-6)  # p, q are float32 above
        different += 2 * stats.norm.sf(abs(z)) < 0.05
    assert (found.different, found.bins) == (different, 12)
    assert found.share == pytest.approx(different / 12, abs=1e-15)
    torch.testing.assert_close(found.real_shares.float(), p)
    torch.testing.assert_close(found.fake_shares.float(), q)
    expected = jensenshannon(found.real_shares, found.fake_shares) ** 2
    assert found.jsd == pytest.approx(expected, rel=1e-9)


def test_the_test_is_the_chi_square_of_a_two_by_two_table():
    real = torch.tensor([[0.0]] * 60 + [[9.0]] * 40)
    fake = torch.tensor([[0.0]] * 45 + [[9.0]] * 75)
    found = ndb(real, fake, torch.tensor([[0.0], [9.0]]))
    chi = stats.chi2_contingency([[60, 40], [45, 75]], correction=False).statistic
    assert found.z.square().tolist() == pytest.approx([chi, chi], rel=1e-9)
    assert found.z[1].item() > 0  # too many fakes there


@pytest.mark.parametrize("significance", [0.05, 0.2])
def test_calibration_with_given_bins(significance):
    random = torch.Generator().manual_seed(0)
    centres = torch.rand(25, 2, generator=random)
    shares = [
        ndb(
            torch.rand(2000, 2, generator=random),
            torch.rand(2000, 2, generator=random),
            centres,
            significance=significance,
        ).share
        for _ in range(60)
    ]
    # Of 1,500 tests, nearly independent ones: three standard errors.
    error = 3 * math.sqrt(significance * (1 - significance) / 1500)
    assert sum(shares) / 60 == pytest.approx(significance, abs=error)


def test_calibration_with_bins_of_the_reals():
    random = torch.Generator().manual_seed(1)
    sets = [torch.randn(1500, 4, generator=random) for _ in range(24)]
    shares = [ndb(sets[2 * i], sets[2 * i + 1], 40, seed=i).share for i in range(12)]
    jsds = [ndb(sets[2 * i], sets[2 * i + 1], 40, seed=i).jsd for i in range(12)]
    assert sum(shares) / 12 == pytest.approx(0.05, abs=0.03)
    # The centres have seen these reals: a little above the floor (K - 1)(1/N + 1/M)/8.
    assert sum(jsds) / 12 == pytest.approx(39 * (2 / 1500) / 8, rel=0.2)


def test_centres_of_other_reals_keep_the_calibration_in_many_dimensions():
    random = torch.Generator().manual_seed(2)
    own, other = [], []
    for _ in range(10):
        real, fake, more = (torch.randn(500, 200, generator=random) for _ in range(3))
        own.append(ndb(real, fake, 30).share)
        other.append(ndb(real, fake, ndb_bins(more, 30)).share)
    assert sum(own) / 10 > 0.3
    assert sum(other) / 10 == pytest.approx(0.05, abs=0.04)


def test_bins_of_the_reals_are_those_of_ndb_bins():
    real, fake = torch.randn(200, 3), torch.randn(200, 3)
    given = ndb(real, fake, ndb_bins(real, 9, seed=4))
    made = ndb(real, fake, 9, seed=4)
    torch.testing.assert_close(given.z, made.z, rtol=0, atol=0)


def test_identical_and_disjoint_sets():
    real = torch.randn(300, 5)
    same = ndb(real, real, 20)
    assert (same.different, same.jsd) == (0, 0.0)
    apart = ndb(real, real + 1000, torch.tensor([[0.0] * 5, [1000.0] * 5]))
    assert (apart.different, apart.share) == (2, 1.0)
    assert apart.jsd == pytest.approx(math.log(2), rel=1e-12)


def test_a_collapsed_generator():
    real = torch.randn(1000, 3)
    found = ndb(real, real[:1].expand(1000, 3), 10)
    assert found.share == 1
    assert found.fake_shares.max().item() == 1
    assert 0 < found.jsd < math.log(2)


def test_bins_that_both_sets_leave_empty_are_not_different():
    centres = torch.tensor([[0.0], [100.0]])
    found = ndb(torch.zeros(50, 1), torch.ones(50, 1), centres)
    assert found.z.tolist() == [0.0, 0.0]
    assert (found.different, found.jsd) == (0, 0.0)


def test_the_threshold_on_z_replaces_the_level():
    real = torch.tensor([[0.0]] * 50 + [[9.0]] * 50)
    fake = torch.tensor([[0.0]] * 30 + [[9.0]] * 70)
    centres = torch.tensor([[0.0], [9.0]])
    z = abs(ndb(real, fake, centres).z[0].item())
    assert z == pytest.approx(0.2 / math.sqrt(0.4 * 0.6 * 0.02), rel=1e-12)
    assert ndb(real, fake, centres).different == 2
    assert ndb(real, fake, centres, z_threshold=4).different == 0
    assert ndb(real, fake, centres, z_threshold=2.8).different == 2


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"bins": 0}, "`bins` must be from 1 to the 10 real samples, got 0"),
        ({"bins": 11}, "`bins` must be from 1 to the 10 real samples, got 11"),
        ({"bins": torch.zeros(3, 4)}, "`bins` must have as many features as `real`, 2, got 4"),
        ({"significance": 1.0}, r"`significance` must be in \(0, 1\), got 1.0"),
        ({"z_threshold": 0.0}, "`z_threshold` must be positive, got 0.0"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        ndb(torch.randn(10, 2), torch.randn(10, 2), **arguments)


def test_refuses_more_bins_than_distinct_reals():
    with pytest.raises(
        ValueError, match="`bins` must be at most the number of distinct samples, 1, got 3"
    ):
        ndb(torch.ones(10, 2), torch.randn(10, 2), 3)
