"""The order of images, and the views of their augmentation."""

import numpy as np
import pytest

from workbench.training.data import BLOCK, WINDOW, epoch_order, epoch_views


def test_without_steps_each_image_comes_once() -> None:
    order = epoch_order(1000, seed=1, stage=0, epoch=1, steps=None, batch_size=32)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(1000))
    assert list(order) != list(range(1000))


def test_the_order_is_the_same_in_every_version() -> None:
    assert epoch_order(8, 1, 0, 1, None, 4).tolist() == [2, 0, 5, 6, 1, 3, 4, 7]


@pytest.mark.parametrize("other", [(2, 0, 1), (1, 1, 1), (1, 0, 2)])
def test_another_seed_stage_or_epoch_gives_another_order(other: tuple[int, int, int]) -> None:
    first = epoch_order(100, 1, 0, 1, None, 10)
    assert first.tolist() == epoch_order(100, 1, 0, 1, None, 10).tolist()
    assert first.tolist() != epoch_order(100, *other, None, 10).tolist()


def test_blocks_of_neighbours_are_read_together_and_mixed_with_others() -> None:
    count = 5 * WINDOW + 7
    order = epoch_order(count, 1, 0, 1, None, 32, shuffle="blocks")
    assert order.dtype == np.int64
    assert sorted(order) == list(range(count))
    for start in range(0, 5 * WINDOW, WINDOW):
        window = order[start : start + WINDOW]
        blocks, sizes = np.unique(window // BLOCK, return_counts=True)
        whole = (sizes == BLOCK).sum()
        assert whole >= WINDOW // BLOCK - 2  # one may be cut at either end
        assert np.abs(np.diff(blocks)).max() > 1  # from all over the disk
        assert list(window) != sorted(window)
        assert len(np.unique(window[:32] // BLOCK)) > 2 * 32 // BLOCK  # a batch has many blocks


def test_few_images_are_shuffled_in_blocks_too() -> None:
    order = epoch_order(100, 1, 0, 1, None, 10, shuffle="blocks")
    assert sorted(order) == list(range(100))
    assert len(np.unique(order[:16] // BLOCK)) > 2
    assert order.tolist() != epoch_order(100, 1, 0, 2, None, 10, shuffle="blocks").tolist()
    assert epoch_order(5, 1, 0, 1, None, 4, shuffle="blocks").tolist() == [1, 4, 0, 2, 3]


def test_fewer_steps_cut_the_order() -> None:
    whole = epoch_order(10, 1, 0, 1, None, 3)
    assert epoch_order(10, 1, 0, 1, 2, 3).tolist() == whole[:6].tolist()


def test_more_steps_shuffle_again_after_every_pass() -> None:
    order = epoch_order(10, 1, 0, 1, steps=9, batch_size=3)  # 27 images: two passes and 7 more
    assert len(order) == 27
    first, second, third = order[:10], order[10:20], order[20:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert len(set(third)) == 7
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(10, 1, 0, 1, None, 3).tolist()


def test_a_batch_larger_than_the_data_repeats_images() -> None:
    assert len(epoch_order(2, 1, 0, 1, steps=1, batch_size=5)) == 5


def test_an_epoch_needs_images() -> None:
    with pytest.raises(ValueError, match="count=0"):
        epoch_order(0, 1, 0, 1, 5, 32)


def test_a_view_is_an_epoch_if_images_come_once() -> None:
    assert epoch_views(5, epoch=3, length=5).tolist() == [3] * 5
    assert epoch_views(5, epoch=3, length=2).tolist() == [3] * 2


def test_every_pass_over_the_images_is_a_view_of_its_own() -> None:
    assert epoch_views(3, epoch=1, length=7).tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert epoch_views(3, epoch=2, length=7).tolist() == [4, 4, 4, 5, 5, 5, 6]
