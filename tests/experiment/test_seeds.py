"""The numbers drawn for a place."""

import numpy as np
import pytest

from workbench.experiment.seeds import fold_seed, uniforms


def test_seeds_fold_to_64_bits_the_same_in_every_version() -> None:
    assert fold_seed(1, 2, 3) == 15490538130094739861
    assert isinstance(fold_seed(np.int64(1), np.uint64(2), 3), int)
    assert fold_seed(np.int64(1), np.uint64(2), 3) == 15490538130094739861


def test_parts_that_look_alike_fold_apart() -> None:
    alike = [(), (0,), (0, 0), (1,), (1, 0), (0, 1), (2**32,), (2**32, 1), (0, 1, 1), (2**64 - 1,)]
    assert len({fold_seed(*parts) for parts in alike}) == len(alike)


@pytest.mark.parametrize("part", [-1, 2**64])
def test_parts_out_of_range_are_refused(part: int) -> None:
    with pytest.raises(OverflowError):
        fold_seed(1, part)


def test_uniforms_lie_in_0_to_1_and_begin_alike() -> None:
    numbers = uniforms(10_000, 1, 2, 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01
    assert uniforms(10, 1, 2, 3).tolist() == numbers[:10].tolist()
    assert uniforms(10, 1, 2, 4).tolist() != numbers[:10].tolist()
