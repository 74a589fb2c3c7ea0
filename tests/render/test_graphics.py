"""Pictures in pixels: what a terminal decodes is the picture, within a size in cells and bytes."""

import base64
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pixel_terminal import PixelTerminal, decode_png, decode_sixel

from workbench.machine.terminal_graphics import Graphics, Protocol, pass_through_tmux
from workbench.render.graphics import (
    MAX_CELLS,
    encode_picture,
    iterm2_image,
    kitty_delete,
    kitty_image,
    placeholders,
    sixel_image,
)

KITTY = Graphics("kitty", cell=(10, 20))
SIXEL = Graphics("sixel", cell=(10, 20))
ITERM2 = Graphics("iterm2", cell=(10, 20))
MARKS = placeholders(MAX_CELLS, 0)[2::3]


def noise(height: int, width: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def rgb(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def payload(sequence: str) -> str:
    return "".join(re.findall(r"\x1b_G[^;]*;([^\x1b]*)\x1b\\", sequence))


def as_sixel(pixels: np.ndarray, colors: int = 256) -> np.ndarray:
    sequence = sixel_image(Image.fromarray(pixels), colors)
    assert sequence.startswith("\x1bP")
    assert sequence.endswith("\x1b\\")
    return decode_sixel(sequence[2:-2])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("graphics", [KITTY, ITERM2], ids=["kitty", "iterm2"])
def test_every_pixel_arrives(graphics: Graphics, channels: int) -> None:
    pixels = noise(40, 30, channels)
    drawn = encode_picture(graphics, pixels, (3, 2), 7)
    assert (drawn.columns, drawn.rows) == (3, 2)
    sent = payload(drawn.sequence) or drawn.sequence.partition(":")[2].rstrip("\x07")
    assert np.array_equal(decode_png(sent), rgb(pixels))


def test_a_picture_is_not_enlarged_before_it_is_sent() -> None:
    pixels = noise(8, 8)
    drawn = encode_picture(KITTY, pixels, (20, 10), 7)
    assert (drawn.columns, drawn.rows) == (20, 10)
    assert np.array_equal(decode_png(payload(drawn.sequence)), pixels)


def test_kitty_gets_chunks_of_four_thousand_characters() -> None:
    for length in (4, 4096, 4100, 8192):
        text = "A" * length
        sequence = kitty_image(text, 5, 3, 2)
        chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sequence)
        assert "".join(chunk for _, chunk in chunks) == text
        assert [len(chunk) for _, chunk in chunks[:-1]] == [4096] * (math.ceil(length / 4096) - 1)
        assert [header[-1] for header, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
        assert chunks[0][0].startswith("a=T,U=1,q=2,f=100,i=5,c=3,r=2,m=")


def test_placeholders_show_their_part_of_the_picture() -> None:
    """The mark of kitty's first row and column is U+0305, of its third U+030E."""
    assert placeholders(2, 0) == "\U0010eeee\u0305\u0305\U0010eeee\u0305\u030d"
    assert placeholders(1, 2) == "\U0010eeee\u030e\u0305"
    terminal = PixelTerminal(20, 10, (10, 20), MARKS)
    pixels = noise(60, 40)
    terminal.feed(encode_picture(KITTY, pixels, (4, 3), 9).sequence)
    for row in range(3):
        terminal.feed(f"\x1b[{row + 3};6H\x1b[38;5;9m{placeholders(4, row)}\x1b[0m")
    assert np.array_equal(terminal.pixels(5, 2, 4, 3), pixels)
    terminal.feed(kitty_delete(9))
    assert terminal.stored == {}


def test_marks_are_different_and_combine() -> None:
    assert len(set(MARKS)) == MAX_CELLS == len(MARKS)
    assert MARKS[-1] == "\u2dff"


def test_tmux_passes_each_sequence_to_its_terminal() -> None:
    assert pass_through_tmux("\x1b_Ga\x1b\\\x1b_Gb\x1b\\") == (
        "\x1bPtmux;\x1b\x1b_Ga\x1b\x1b\\\x1b\\\x1bPtmux;\x1b\x1b_Gb\x1b\x1b\\\x1b\\"
    )
    plain, through = (PixelTerminal(20, 10, (10, 20)) for _ in range(2))
    sequence = encode_picture(KITTY, noise(90, 90), (9, 9), 3).sequence
    plain.feed(sequence)
    through.feed(pass_through_tmux(sequence))
    assert np.array_equal(plain.stored[3].pixels, through.stored[3].pixels)


def test_iterm2_gets_the_number_of_bytes_before_them() -> None:
    for content in (b"a", b"ab", b"abc"):
        text = base64.b64encode(content).decode()
        assert iterm2_image(text, 4, 2) == (
            f"\x1b]1337;File=inline=1;size={len(content)};width=4;height=2;"
            f"preserveAspectRatio=1;doNotMoveCursor=1:{text}\x07"
        )


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (5, 7), (6, 4), (7, 1), (12, 40), (13, 300), (100, 3)]
)
def test_a_sixel_picture_has_the_colors_of_its_palette(height: int, width: int) -> None:
    pixels = noise(height, width)
    reduced = Image.fromarray(pixels).quantize(256, Image.Quantize.FASTOCTREE, dither=0)
    percent = (np.asarray(reduced.convert("RGB"), int) * 100 + 127) // 255  # as sixel has them
    assert np.array_equal(as_sixel(pixels), np.round(percent * 255 / 100))


def test_few_colors_are_exact_to_a_percent() -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[3:9, 4:20] = (255, 0, 51)
    pixels[15:, 29:] = (102, 153, 204)
    assert np.array_equal(as_sixel(pixels), pixels)


@given(st.integers(1, 14), st.integers(1, 14), st.sampled_from([2, 3, 16, 256]), st.integers(0, 99))
def test_every_pixel_of_a_sixel_is_set_once(
    height: int, width: int, colors: int, seed: int
) -> None:
    pixels = noise(height, width, seed=seed) // 64 * 64
    assert len(np.unique(as_sixel(pixels, colors).reshape(-1, 3), axis=0)) <= colors


@pytest.mark.parametrize("graphics", [KITTY, SIXEL, ITERM2], ids=["kitty", "sixel", "iterm2"])
@pytest.mark.parametrize(
    ("shape", "box", "cells"),
    [
        ((100, 100), (20, 10), (20, 10)),
        ((100, 100), (20, 24), (20, 10)),
        ((100, 200), (20, 10), (20, 5)),
        ((300, 100), (20, 10), (7, 10)),  # 66.7 pixels wide
        ((1, 1000), (20, 10), (20, 1)),
        ((1000, 1), (20, 10), (1, 10)),
        ((10, 10), (1, 1), (1, 1)),
    ],
)
def test_a_picture_fits_its_box_with_its_proportions(
    graphics: Graphics, shape: tuple[int, int], box: tuple[int, int], cells: tuple[int, int]
) -> None:
    drawn = encode_picture(graphics, np.zeros((*shape, 3), np.uint8), box, 1)
    assert (drawn.columns, drawn.rows) == cells


def test_a_large_box_is_filled_to_the_marks_of_kitty() -> None:
    drawn = encode_picture(KITTY, np.zeros((10, 10, 3), np.uint8), (900, 900), 1)
    assert drawn.columns == MAX_CELLS


@pytest.mark.parametrize("protocol", ["kitty", "sixel", "iterm2"])
@pytest.mark.parametrize("limit", [256 * 1024, 20_000])
def test_bytes_stay_within_the_limit(protocol: Protocol, limit: int) -> None:
    """Noise is the worst: a photo of 80x24 cells is a third of it."""
    pixels = noise(480, 800)
    free = encode_picture(Graphics(protocol), pixels, (80, 24), 1)
    bound = encode_picture(replace(Graphics(protocol), max_bytes=limit), pixels, (80, 24), 1)
    assert len(free.sequence) > 256 * 1024
    assert len(bound.sequence) <= limit
    assert (bound.columns, bound.rows) == (free.columns, free.rows)


@pytest.mark.parametrize("graphics", [KITTY, SIXEL, ITERM2], ids=["kitty", "sixel", "iterm2"])
def test_nine_pictures_have_no_more_bytes_than_one(graphics: Graphics) -> None:
    bound = replace(graphics, max_bytes=192_000)  # 100 for each of 80 x 24 cells
    drawn = encode_picture(bound, noise(200, 200), (20, 10), 1)
    assert len(drawn.sequence) <= 100 * 20 * 10
    assert len(encode_picture(graphics, noise(200, 200), (20, 10), 1).sequence) > 20_000
