import importlib
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch_fidelity.metric_kid import kid_features_to_metric

from gan_lightning.metrics.clip_mmd import ClipMMD
from gan_lightning.metrics.functional.kernel import (
    clip_mmd,
    kernel_distance,
    kernel_distance_subsets,
)
from gan_lightning.metrics.kernel_distance import KernelDistance, KernelDistanceSubsets

kernel = importlib.import_module("gan_lightning.metrics.functional.kernel")


def sets(n=40, m=30, d=6):
    random = torch.Generator().manual_seed(0)
    real = torch.randn(n, d, generator=random, dtype=torch.float64)
    return real, 0.5 + 1.3 * torch.randn(m, d, generator=random, dtype=torch.float64)


def statistic(k, real, fake, unbiased):
    xx, yy, xy = k(real, real), k(fake, fake), k(real, fake)
    n, m = len(xx), len(yy)
    if not unbiased:
        return xx.mean() + yy.mean() - 2 * xy.mean()
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


@pytest.mark.parametrize("entries", [1, 100, 2**22])
@pytest.mark.parametrize(
    ("degree", "gamma", "coef0"), [(3, None, 1.0), (1, 0.5, 0.0), (2, 0.1, 3.0), (5, 0.2, -1.0)]
)
def test_against_sklearn(monkeypatch, entries, degree, gamma, coef0):
    monkeypatch.setattr(kernel, "_ENTRIES", entries)
    real, fake = sets()
    value = kernel_distance(real, fake, degree, gamma, coef0)
    expected = statistic(
        lambda a, b: polynomial_kernel(a, b, degree=degree, gamma=gamma, coef0=coef0),
        real.numpy(),
        fake.numpy(),
        unbiased=True,
    )
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected, rel=1e-9)


def by_fractions(real, fake):
    """Exactly, from the definition."""
    a, b = ([[Fraction(v) for v in row] for row in x.tolist()] for x in (real, fake))

    def k(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(z):
        pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
        return sum(k(z[i], z[j]) for i, j in pairs) / len(pairs)

    return float(within(a) + within(b) - 2 * sum(k(x, y) for x in a for y in b) / len(a) / len(b))


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_no_digits_are_lost(offset):
    """At the offset single kernel values are about 1e18."""
    real, fake = ((offset + x).float() for x in sets(9, 8, 4))
    expected = by_fractions(real, fake)
    assert kernel_distance(real, fake).item() == pytest.approx(expected, rel=1e-9)
    close = real + 2.0**-10 * fake[:1].round()
    expected = by_fractions(real, close)
    assert kernel_distance(real, close).item() == pytest.approx(expected, rel=1e-9)


def test_it_is_unbiased():
    """The mean over many draws is 0 for one distribution and the closed form for two."""
    random = torch.Generator().manual_seed(1)
    values = []
    for _ in range(400):
        x, y = torch.randn(2, 20, 1, generator=random, dtype=torch.float64)
        values.append([kernel_distance(x, y, degree=2), kernel_distance(x, y + 1, degree=2)])
    same, moved = torch.tensor(values, dtype=torch.float64).unbind(1)
    error = values_error(same)
    assert same.mean().item() == pytest.approx(0, abs=4 * error)
    # (xy + 1)^2 has the features x^2, root 2 x and 1: the means differ by 1 and root 2.
    assert moved.mean().item() == pytest.approx(3, abs=4 * values_error(moved))
    assert same.min() < 0


def values_error(values):
    return (values.std() / len(values) ** 0.5).item()


def test_subsets_against_torch_fidelity():
    real, fake = sets()
    mean, std = kernel_distance_subsets(real[:30], fake, subsets=3, subset_size=30)
    theirs = kid_features_to_metric(
        real[:30], fake, kid_subsets=3, kid_subset_size=30, rng_seed=0, verbose=False,
        kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1.0,
    )  # fmt: skip
    assert mean.item() == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)
    assert std.item() == pytest.approx(0, abs=1e-12)


def test_subsets_are_drawn_by_the_seed_alone():
    real, fake = sets()
    before = torch.get_rng_state()
    first = kernel_distance_subsets(real, fake, 20, 10, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    assert first == kernel_distance_subsets(real, fake, 20, 10, seed=3)
    assert first != kernel_distance_subsets(real, fake, 20, 10, seed=4)
    generator = torch.Generator().manual_seed(3)
    values = []
    for _ in range(20):
        i, j = (torch.randperm(n, generator=generator)[:10] for n in (40, 30))
        values.append(kernel_distance(real[i], fake[j]).item())
    assert first[0].item() == pytest.approx(np.mean(values), rel=1e-12)
    assert first[1].item() == pytest.approx(np.std(values), rel=1e-12)


@pytest.mark.parametrize("entries", [1, 100, 2**22])
@pytest.mark.parametrize("sigma", [0.5, 10.0])
def test_clip_mmd_against_sklearn(monkeypatch, entries, sigma):
    monkeypatch.setattr(kernel, "_ENTRIES", entries)
    real, fake = sets()
    a, b = (torch.nn.functional.normalize(x).numpy() for x in (real, fake))
    gamma = 1 / (2 * sigma**2)
    expected = 1000 * statistic(lambda x, y: rbf_kernel(x, y, gamma=gamma), a, b, unbiased=False)
    assert clip_mmd(real, fake, sigma).item() == pytest.approx(expected, rel=1e-8)


def test_clip_mmd_of_identical_sets_is_0():
    real = sets()[0]
    assert clip_mmd(real, real.clone()).item() == 0
    assert clip_mmd(real, real.flip(0)).item() == 0
    assert clip_mmd(real, 3 * real).item() == 0  # directions only
    assert clip_mmd(real, real + 1e-5 * sets()[1][:1]).item() > 0


def test_clip_mmd_of_wide_kernels_keeps_its_digits():
    """For a wide kernel it becomes 1000 |difference of mean directions|^2 / sigma^2."""
    real, fake = (torch.nn.functional.normalize(x) for x in sets())
    expected = 1000 * (real.mean(0) - fake.mean(0)).square().sum().item() / 1e10
    assert clip_mmd(real, fake, 1e5).item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("function", [kernel_distance, clip_mmd])
def test_hard_cases(function):
    real, fake = sets()
    few = function(real[:2], fake[:3])  # fewer samples than dimensions
    assert few.isfinite()
    for collapsed in (fake[:1].expand(30, -1), torch.zeros(30, 6), torch.ones(30, 1) * fake[:1]):
        assert function(real, collapsed).isfinite()
        assert function(collapsed, collapsed).item() == pytest.approx(0, abs=1e-15)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        a, b = real.to(dtype), fake.to(dtype)
        torch.testing.assert_close(function(a, b), function(a.double(), b.double()))
        assert function(a, b).dtype == torch.float64


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_clip_mmd_sees_directions_of_extreme_features(scale):
    real, fake = sets()
    torch.testing.assert_close(clip_mmd(scale * real, fake), clip_mmd(real, fake))


@pytest.mark.parametrize("sigma", [1e-100, 0.02, 0.09, 0.11])
def test_clip_mmd_of_narrow_kernels(sigma):
    real, fake = sets()
    assert clip_mmd(real, real.flip(0), sigma).item() == 0
    a, b = (torch.nn.functional.normalize(x).numpy() for x in (real, fake))
    gamma = 1 / (2 * sigma**2)
    expected = 1000 * statistic(lambda x, y: rbf_kernel(x, y, gamma=gamma), a, b, unbiased=False)
    if sigma > 1e-3:
        assert clip_mmd(real, fake, sigma).item() == pytest.approx(expected, rel=1e-8)
    assert clip_mmd(real, fake, sigma).isfinite()


@pytest.mark.parametrize("function", [kernel_distance, clip_mmd])
def test_no_copy_of_a_set_is_made(monkeypatch, function):
    """The largest tensor is a block, whatever the number of samples."""
    monkeypatch.setattr(kernel, "_ENTRIES", 64)
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.dtype == torch.float64:
                largest = max(largest, out.numel())
            return out

    real, fake = (x.float() for x in sets())
    means = {len(x): x.double().mean(0) for x in (real, fake)}
    monkeypatch.setattr(kernel, "mean", lambda x: means[len(x)])  # its blocks are larger
    with Watch():
        function(real, fake)
    assert largest <= 64


def test_duplicates_do_not_move_the_biased_statistic():
    real, fake = sets()
    torch.testing.assert_close(clip_mmd(real.repeat(2, 1), fake), clip_mmd(real, fake))


X = torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: kernel_distance(X, X[:1]), "`fake` must be .* at least 2 samples, got shape"),
        (lambda: kernel_distance(X, X[:, :2]), "`fake` must have as many features as `real`"),
        (lambda: kernel_distance(X * torch.nan, X), "`real` must be finite, got NaN"),
        (lambda: kernel_distance(X, X, 0), "`degree` must be a whole number .* got 0"),
        (lambda: kernel_distance(X, X, gamma=0.0), "`gamma` must be positive or None, got 0.0"),
        (lambda: kernel_distance_subsets(X, X, subset_size=5), "the smaller set, 4, got 5"),
        (lambda: kernel_distance_subsets(X, X, subset_size=1), "must be from 2 .* got 1"),
        (lambda: kernel_distance_subsets(X, X, 0, 2), "`subsets` must be at least 1, got 0"),
        (lambda: clip_mmd(X[:1], X), "`real` must be .* at least 2 samples"),
        (lambda: clip_mmd(X, X * torch.nan), "`fake` must be finite, got NaN"),
        (lambda: clip_mmd(X, X, 0.0), "`sigma` must be positive and finite, also squared, got 0"),
        (lambda: clip_mmd(X, X, -1.0), "`sigma` must be positive .* got -1.0"),
        (lambda: clip_mmd(X, X, 1e-170), "also squared, got 1e-170"),
        (
            lambda: kernel_distance(1e200 * sets()[0], sets()[1]),
            r"small enough for sums of the kernel in float64, got features up to \d.*e\+200",
        ),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


CLASSES = [
    (KernelDistance(degree=2, coef0=0.5), lambda r, f: kernel_distance(r, f, 2, coef0=0.5)),
    (ClipMMD(sigma=2.0), lambda r, f: clip_mmd(r, f, 2.0)),
    (
        KernelDistanceSubsets(subsets=2, subset_size=30),
        lambda r, f: kernel_distance_subsets(r, f, 2, 30),
    ),
]


@pytest.mark.parametrize(("metric", "function"), CLASSES)
def test_class_equals_function_for_any_batches(metric, function):
    real, fake = sets(30, 30)
    found = []
    for size in (7, 40):
        metric.reset()
        for x, is_real in ((real, True), (fake, False)):
            for batch in x.split(size)[:: 1 if size > 20 else -1]:
                metric.update(batch, real=is_real)
        value = metric.compute()
        numbers = [value] if isinstance(value, torch.Tensor) else [*value.values()]
        found.append([number.item() for number in numbers])
    assert found[0] == found[1]
    expected = function(real, fake)
    numbers = expected if isinstance(expected, tuple) else (expected,)
    assert found[0] == pytest.approx([n.item() for n in numbers], rel=1e-9, abs=1e-12)
