"""Idx files are read exactly, or refused where header and content disagree."""

import io
import struct

import numpy as np
import pytest

from workbench.datasets.sources.conversions import read_idx
from workbench.errors import UserError


def idx(values: bytes, *shape: int, kind: int = 8, zeros: int = 0) -> io.BytesIO:
    return io.BytesIO(struct.pack(f">HBB{len(shape)}I", zeros, kind, len(shape), *shape) + values)


def test_images_and_labels_have_the_shape_of_the_header() -> None:
    images = read_idx(idx(bytes(range(12)), 2, 3, 2), "images")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]
    assert read_idx(idx(b"\x07\x00\xff", 3), "labels").tolist() == [7, 0, 255]
    assert read_idx(idx(b"", 0), "none").shape == (0,)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "it ends early (0 bytes of 4)"),
        (io.BytesIO(b"\0\0\x08"), "it ends early (3 bytes of 4)"),
        (io.BytesIO(b"\0\0\x08\x02\0\0\0\x01"), "it ends early (4 bytes of 8)"),
        (idx(b"abc", 4), "it ends early (3 bytes of 4)"),
        (idx(b"abcde", 4), "it continues after the 4 values of its header"),
        (idx(b"abcd", 4, zeros=1), "it does not start like an idx file"),
        (idx(b"abcd"), "it does not start like an idx file"),
        (idx(b"a", 1, 1, 1, 1, 1), "it does not start like an idx file"),
        (idx(b"abcd", 1, kind=0x0D), "its values are of type 0x0d, not unsigned bytes (0x08)"),
        (
            idx(b"", 0xFFFFFFFF, 0xFFFFFFFF),
            "its header announces 18,446,744,065,119,617,025 values",
        ),
        (
            idx(b"", 2**30 + 1),
            "its header announces 1,073,741,825 values, the limit is 1,073,741,824",
        ),
    ],
)
def test_a_broken_file_is_refused_by_name(file: io.BytesIO, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_idx(file, "bad\x1b.gz")
    assert message in caught.value.message
    assert caught.value.message.startswith("bad\\e.gz cannot be read: ")


def test_four_dimensions_are_the_most() -> None:
    assert read_idx(idx(b"ab", 1, 2, 1, 1), "file").shape == (1, 2, 1, 1)
