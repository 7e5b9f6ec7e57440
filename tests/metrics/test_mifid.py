import importlib

import numpy as np
import pytest
import torch
from torchmetrics.image.mifid import _mifid_compute

from gan_lightning.metrics.functional.frechet import frechet_distance
from gan_lightning.metrics.functional.mifid import mifid
from gan_lightning.metrics.mifid import MiFID

module = importlib.import_module("gan_lightning.metrics.functional.mifid")
kernel = importlib.import_module("gan_lightning.metrics.functional.kernel")


def sets(noise=0.1, n=60, m=50, d=5):
    random = torch.Generator().manual_seed(0)
    real = torch.randn(n, d, generator=random, dtype=torch.float64)
    fake = real[:m] + noise * torch.randn(m, d, generator=random, dtype=torch.float64)
    return real, fake


def naive(real, fake, eps=0.1):
    closest = []
    for f in fake.numpy():
        cosines = [abs(f @ r) / np.linalg.norm(f) / np.linalg.norm(r) for r in real.numpy()]
        closest.append(1 - max(cosines))
    s = np.mean(closest)
    return frechet_distance(real, fake).item() / (s if s < eps else 1)


def statistics(x):
    return x.mean(0), x.T.cov(), x


@pytest.mark.parametrize("entries", [1, 300, 2**22])
@pytest.mark.parametrize("noise", [0.05, 0.3, 100.0])
def test_against_its_definition_and_torchmetrics(monkeypatch, entries, noise):
    monkeypatch.setattr(kernel, "_ENTRIES", entries)
    real, fake = sets(noise)
    value = mifid(real, fake)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(naive(real, fake), rel=1e-9)
    # torchmetrics takes the mean over reals: its sets are exchanged here.
    theirs = _mifid_compute(*statistics(fake), *statistics(real))
    assert value.item() == pytest.approx(theirs.item(), rel=1e-9)


def test_a_large_distance_to_the_reals_is_none():
    real, fake = sets()
    assert mifid(real, fake, eps=0.0).item() == frechet_distance(real, fake).item()
    far = torch.tensor([[1.0, 0.0]] * 3), torch.tensor([[0.0, 1.0]] * 3)
    assert mifid(*far).item() == frechet_distance(*far).item() == 2


def test_right_angles_are_at_distance_1():
    """One fake is a copy, one at right angles to all reals, one real has no direction."""
    real = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    fake = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    found = frechet_distance(real, fake) / mifid(real, fake, eps=0.9)
    assert found.item() == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e100])
def test_directions_of_extreme_features(scale):
    real, fake = sets()
    expected = frechet_distance(real, fake) / mifid(real, fake)
    found = module._memorisation_distance(scale * real, scale * fake)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_copies():
    real, _ = sets()
    assert mifid(real, real.clone()).item() == 0
    some = real[:20].repeat(2, 1)
    expected = 1e14 * frechet_distance(real, some).item()
    assert mifid(real, some).item() == pytest.approx(expected, rel=1e-12)
    expected = 1e14 * frechet_distance(real, -some).item()  # a negative is a copy: |cosine|
    assert mifid(real, -some).item() == pytest.approx(expected, rel=1e-12)


def test_near_copies_keep_their_digits():
    """An angle a of 1e-6 gives 1 - cos a = 5e-13, of which a subtraction leaves four digits."""
    angle = torch.tensor([0.3, 0.9, 2.0], dtype=torch.float64)
    real = torch.stack([angle.cos(), angle.sin()], 1)
    fake = 2 * torch.stack([(angle + 1e-6).cos(), (angle + 1e-6).sin()], 1)
    expected = frechet_distance(real, fake).item() / 5e-13
    assert mifid(real, fake).item() == pytest.approx(expected, rel=1e-8)


def test_samples_of_zeros_have_no_direction():
    real, fake = sets()
    zeros = torch.zeros(4, 5, dtype=torch.float64)
    s = frechet_distance(real, fake) / mifid(real, fake)
    with_zeros = torch.cat([real, zeros]), torch.cat([fake, zeros])
    found = frechet_distance(*with_zeros) / mifid(*with_zeros)
    torch.testing.assert_close(found, s)
    assert mifid(real, zeros).item() == frechet_distance(real, zeros).item()


def test_hard_cases():
    real, fake = sets(n=4, m=3, d=9)  # fewer samples than dimensions
    assert mifid(real, fake).item() == pytest.approx(naive(real, fake), rel=1e-9)
    assert mifid(real, fake[:1].expand(3, -1)).isfinite()
    real, fake = sets()
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        a, b = real.to(dtype), fake.to(dtype)
        torch.testing.assert_close(mifid(a, b), mifid(a.double(), b.double()))
    real, fake = ((1e3 + x).float() for x in (real, fake))
    torch.testing.assert_close(mifid(real, fake), mifid(real.double(), fake.double()))


X = torch.ones(4, 3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: mifid(X, X[:1]), "`fake` must be .* at least 2 samples"),
        (lambda: mifid(X * torch.nan, X), "`real` must be finite, got NaN"),
        (lambda: mifid(X, X, eps=-1.0), "`eps` must not be negative, got -1.0"),
        (lambda: mifid(X, X, ddof=3), "`ddof` must be 0 or 1, got 3"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_class_equals_function_for_any_batches():
    real, fake = sets()
    found = []
    for size in (7, 64):
        metric = MiFID(eps=0.2, ddof=0)
        for x, is_real in ((real, True), (fake, False)):
            for batch in x.split(size)[:: 1 if size > 20 else -1]:
                metric.update(batch, real=is_real)
        found.append(metric.compute().item())
    assert found[0] == found[1]
    assert found[0] == pytest.approx(mifid(real, fake, 0.2, 0).item(), rel=1e-9)
