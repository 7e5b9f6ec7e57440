import pytest
import torch
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from gan_lightning.metrics.functional.one_nearest_neighbour import one_nearest_neighbour


def numbers(real, fake):
    return [v.item() for v in one_nearest_neighbour(real, fake)]


@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 2), (30, 50, 20)])
def test_equals_scikit_learns_leave_one_out(n, m, d):
    real, fake = torch.randn(n, d).double(), torch.randn(m, d).double() + 0.3
    samples, labels = torch.cat([real, fake]).numpy(), [1] * n + [0] * m
    predicted = cross_val_predict(KNeighborsClassifier(1), samples, labels, cv=LeaveOneOut())
    right = torch.from_numpy(predicted == labels).double()
    expected = [right.mean(), right[:n].mean(), right[n:].mean()]
    assert numbers(real, fake) == pytest.approx([float(e) for e in expected], abs=1e-12)


def test_ideal_copied_and_disjoint():
    real = torch.randn(1000, 5)
    assert numbers(real, torch.randn(1000, 5))[0] == pytest.approx(0.5, abs=0.04)
    assert numbers(real, real) == [0, 0, 0]
    assert numbers(real, real + 100) == [1, 1, 1]


def test_a_collapsed_generator_is_known_by_its_fakes():
    # In many dimensions the mean is nearer to each sample than the other samples are.
    assert numbers(torch.randn(100, 100), torch.zeros(100, 100)) == [0.5, 0, 1]


def test_ties_count_half():
    grid = torch.arange(6.0)[:, None]
    # Inner points have a neighbour of either kind; the outermost only one of the other.
    assert numbers(grid[::2], grid[1::2]) == [0, 0, 0]
    same = torch.ones(4, 3)
    assert numbers(same, same) == [0.5, 0.5, 0.5]
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[-2.0], [9.0]])
    assert numbers(real, fake) == [0.375, 0.75, 0.0]


def test_refuses_one_sample():
    with pytest.raises(ValueError, match=r"`fake` must be .* at least 2 samples, got shape \(1, 3"):
        one_nearest_neighbour(torch.zeros(5, 3), torch.zeros(1, 3))
