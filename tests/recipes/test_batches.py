"""The order of samples: settled by seed and epoch, each sample once."""

import torch

# what all recipes share is private to them
from regularizers.recipes._batches import Batches


def batches(samples, size, *, seed=0, epoch=0, smallest=1):
    x = torch.arange(samples)
    return Batches(x, 2 * x, batch_size=size, seed=seed, epoch=epoch, smallest=smallest)


def order(*arguments, **options):
    return [x.tolist() for x, _ in batches(*arguments, **options)]


def test_each_sample_comes_once_with_what_belongs_to_it():
    for x, y in batches(10, 4):
        assert torch.equal(y, 2 * x)
    assert sorted(n for batch in order(10, 4) for n in batch) == list(range(10))
    assert [len(batch) for batch in order(10, 4)] == [4, 4, 2]


def test_seed_and_epoch_settle_the_order():
    assert order(10, 4, seed=1, epoch=2) == order(10, 4, seed=1, epoch=2)
    assert order(10, 4, seed=1, epoch=2) != order(10, 4, seed=1, epoch=3)
    assert order(10, 4, seed=1, epoch=2) != order(10, 4, seed=2, epoch=2)


def test_a_last_batch_that_is_too_small_joins_the_one_before():
    assert [len(batch) for batch in order(9, 4, smallest=2)] == [4, 5]
    assert [len(batch) for batch in order(9, 4)] == [4, 4, 1]
    assert len(batches(9, 4, smallest=2)) == 2
    assert [len(batch) for batch in order(1, 4, smallest=2)] == [1]
