"""Images as characters: size, colours, ASCII, and invalid files."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.text import Text

from workbench.datasets.decoding import decode_for_display
from workbench.render.half_blocks import fit_half_blocks, half_blocks, load_thumbnail, read_picture


def size(text: Text) -> tuple[int, int]:
    """(cells, lines); every line has the same length."""
    lines = text.plain.split("\n")
    assert len({len(line) for line in lines}) == 1
    return len(lines[0]), len(lines)


@pytest.mark.parametrize(
    ("shape", "width", "expected"),
    [((100, 100, 3), 10, (10, 5)), ((50, 100, 3), 12, (12, 3)), ((3, 900, 1), 8, (8, 1))],
)
def test_proportions_are_kept(
    shape: tuple[int, int, int], width: int, expected: tuple[int, int]
) -> None:
    pixels = np.zeros(shape, np.uint8)
    assert size(half_blocks(pixels, width)) == expected
    assert size(half_blocks(pixels, width, utf8=False)) == expected


def test_a_cell_holds_two_pixels() -> None:
    pixels = np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)  # red over blue
    text = half_blocks(pixels, 1)
    assert text.plain == "▀"
    style = text.spans[0].style
    assert not isinstance(style, str)
    assert style.color is not None
    assert style.bgcolor is not None
    assert style.color.triplet == (255, 0, 0)
    assert style.bgcolor.triplet == (0, 0, 255)


def test_grey_and_ascii_go_from_dark_to_light() -> None:
    pixels = np.array([[[0], [115], [255]]] * 2, np.uint8)
    assert half_blocks(pixels, 3, utf8=False).plain == " =@"
    assert half_blocks(pixels, 3).plain == "▀▀▀"


@pytest.mark.parametrize(("height", "width"), [(10, 400), (400, 10), (64, 64), (1, 1)])
def test_a_picture_stays_in_its_box(height: int, width: int) -> None:
    cells, lines = size(fit_half_blocks(np.zeros((height, width, 3), np.uint8), 16, 8))
    assert cells <= 16
    assert lines <= 8
    assert cells == 16 or lines == 8


def test_a_file_becomes_pixels_and_a_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "[b]oops\x1b[31m.jpg"
    Image.new("RGB", (64, 32), "white").save(path)
    pixels = read_picture(partial(decode_for_display, path), (8, 16))
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (8, 16, 3)  # what is enough of it
    text = load_thumbnail(partial(decode_for_display, path), 16, 8)
    assert size(text) == (16, 4)


@pytest.mark.parametrize("content", [b"", b"no image at all", None])
def test_unreadable_files_give_a_reason(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9\n.jpg")
    if content is not None:
        path.write_bytes(content)
    assert str(read_picture(partial(decode_for_display, path), (8, 16))).startswith("no picture: ")
    text = load_thumbnail(partial(decode_for_display, path), 16, 8)
    assert text.plain.startswith("no picture: ")
