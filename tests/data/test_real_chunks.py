"""Real samples for evaluation: each once, in chunks that do not depend on the number of ranks."""

import pytest
import torch

from gan_lightning.data import Digits, GaussianRing, SemiSupervised


def test_each_sample_comes_once_over_all_ranks():
    data = Digits(image_size=8)
    one = list(data.real_chunks(size=100))
    assert [len(x) for x, _ in one] == [100] * 17 + [97]
    whole = torch.cat([x for x, _ in one])
    expected = data.read().x.float() / 127.5 - 1
    assert whole.dtype == torch.float32
    assert torch.equal(
        whole.flatten(1).sum(1).sort().values, expected.flatten(1).sum(1).sort().values
    )
    assert sorted(torch.cat([y for _, y in one]).tolist()) == sorted(data.read().labels.tolist())
    ranks = [list(data.real_chunks(size=100, rank=r, world_size=5)) for r in range(5)]
    for i, (x, y) in enumerate(one):
        x_there, y_there = ranks[i % 5][i // 5]
        assert torch.equal(x, x_there)
        assert torch.equal(y, y_there)
    assert sum(map(len, ranks)) == len(one)


def test_a_number_takes_the_first_of_the_same_order():
    data = GaussianRing(samples=50, batch_size=5)
    some = torch.cat(list(data.real_chunks(20, size=7)))
    every = torch.cat(list(data.real_chunks(size=7)))
    assert torch.equal(some, every[:20])
    assert len(torch.unique(every, dim=0)) == 50


def test_few_labels_do_not_double_the_samples():
    data = SemiSupervised(Digits(image_size=8), labels=100)
    chunks = list(data.real_chunks())
    assert sum(len(x) for x, _ in chunks) == data.samples == 1438


@pytest.mark.parametrize(("number", "size"), [(51, 10), (0, 10), (10, 0)])
def test_numbers_that_do_not_exist_are_refused(number, size):
    with pytest.raises(ValueError, match=r"`(number|size)` must be"):
        list(GaussianRing(samples=50, batch_size=5).real_chunks(number, size))
