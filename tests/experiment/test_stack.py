"""Sizes and parameters in plain arithmetic, held against the book's figures."""

import pytest

from workbench.experiment.stack import (
    Convolutions,
    StackError,
    convolution_stack,
    network_stack,
    window_output,
)


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "output"),
    [
        (28, 3, 1, "valid", 26),
        (28, 3, 1, "same", 28),
        (5, 3, 2, "valid", 2),
        (5, 3, 2, "same", 3),
        (3, 3, 1, "valid", 1),
        (2, 3, 1, "valid", 0),
        (7, 2, 2, "valid", 3),
    ],
)
def test_window_output(size: int, window: int, stride: int, padding: str, output: int) -> None:
    assert window_output(size, window, stride, padding) == output


def test_notebook_5_1_has_93322_parameters() -> None:
    rows = network_stack(
        (28, 28, 1), Convolutions((32, 64, 64), 3, "valid", 1, (True, True, False)), (64,), 0.0, 10
    )
    assert [row.output_shape for row in rows] == [
        (26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (3, 3, 64), (576,), (64,), (10,),
    ]  # fmt: skip
    assert sum(row.parameters for row in rows) == 93_322


def test_notebook_5_2_has_3453121_parameters_and_one_sigmoid() -> None:
    blocks = Convolutions((32, 64, 128, 128), 3, "valid", 1, (True,) * 4)
    rows = network_stack((150, 150, 3), blocks, (512,), 0.5, 2)
    assert sum(row.parameters for row in rows) == 3_453_121
    assert rows[-1].output_shape == (1,)
    assert [row.name for row in rows][-4:] == ["flatten", "dropout", "dense1", "output"]


def test_without_pooling_22x22x64_values_remain() -> None:
    rows = network_stack(
        (28, 28, 1), Convolutions((32, 64, 64), 3, "valid", 1, (False,) * 3), (512,), 0.0, 10
    )
    assert rows[2].output_shape == (22, 22, 64)
    assert rows[3].output_shape == (30_976,)
    assert rows[4].parameters == 15_860_224


def test_the_dense_baseline_is_flattened_pixels() -> None:
    rows = network_stack((28, 28, 1), Convolutions((), 3, "valid", 1, ()), (512,), 0.0, 10)
    assert [row.output_shape for row in rows] == [(784,), (512,), (10,)]


def test_a_kernel_larger_than_the_image() -> None:
    with pytest.raises(StackError, match="5x5 window of conv1"):
        convolution_stack((4, 9, 1), Convolutions((8,), 5, "valid", 1, (False,)))
