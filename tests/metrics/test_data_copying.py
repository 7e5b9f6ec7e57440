import math

import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu, norm

from gan_lightning.metrics.functional._kmeans import kmeans
from gan_lightning.metrics.functional.data_copying import data_copying, mann_whitney_z


def scipys_z(x, y):
    found = mannwhitneyu(x, y, method="asymptotic", use_continuity=False, alternative="greater")
    return norm.isf(found.pvalue)


@pytest.mark.parametrize("levels", [None, 5])
def test_z_equals_scipys_with_and_without_ties(levels):
    x, y = torch.rand(40).double(), torch.rand(55).double() + 0.1
    if levels:
        x, y = (x * levels).round(), (y * levels).round()
    assert mann_whitney_z(x, y).item() == pytest.approx(scipys_z(x, y), rel=1e-8)
    assert mann_whitney_z(y, x).item() == pytest.approx(-scipys_z(x, y), rel=1e-8)
    assert mann_whitney_z(torch.ones(7).double(), torch.ones(5).double()).item() == 0
    assert mann_whitney_z(torch.ones(1).double(), torch.zeros(1).double()).item() == 1


@pytest.mark.parametrize(("cells", "min_fakes"), [(1, 1), (3, 20), (5, 25)])
def test_equals_the_definition(cells, min_fakes):
    train, test, fake = (torch.randn(n, 2).double() for n in (90, 70, 110))
    centres = kmeans(train, cells)
    in_cell = [cdist(x, centres).argmin(1) for x in (test, fake)]
    distances = [cdist(x, train).min(1) for x in (test, fake)]
    top = bottom = 0.0
    for cell in range(cells):
        held_out, made = (d[c == cell] for d, c in zip(distances, in_cell, strict=True))
        if len(made) >= min_fakes:
            top += len(held_out) / 70 * scipys_z(made, held_out)
            bottom += len(held_out) / 70
    found = data_copying(train, test, fake, cells, min_fakes=min_fakes)
    assert found.item() == pytest.approx(top / bottom, rel=1e-8)


def test_copies_underfits_and_neither():
    train, test, fake = (torch.randn(400, 4) for _ in range(3))
    assert data_copying(train, test, train + 1e-3).item() < -8
    assert data_copying(train, test, train).item() < -8
    assert data_copying(train, test, 3 * fake).item() > 5
    assert abs(data_copying(train, test, fake).item()) < 2
    assert data_copying(train, test, test).item() == 0


def test_a_collapsed_generator_has_a_value():
    train, test = torch.randn(300, 3), torch.randn(300, 3)
    found = data_copying(train, test, train[:1].expand(100, 3))
    assert math.isfinite(found.item())
    assert found.item() < -5
    same = torch.ones(50, 2)
    assert data_copying(same, same, same, 1).item() == 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cells": 0}, "`cells` must be from 1 to the 30 training samples, got 0"),
        ({"cells": 31}, "`cells` must be from 1 to the 30 training samples, got 31"),
        ({"min_fakes": 0}, "`min_fakes` must be at least 1, got 0"),
        ({"min_fakes": 31}, "`min_fakes` must be reached in a cell .* got 31 with 30 fakes in 3"),
    ],
)
def test_refusals(arguments, match):
    sets = (torch.randn(30, 2) for _ in range(3))
    with pytest.raises(ValueError, match=match):
        data_copying(*sets, **arguments)
