"""Symbols of states, sparklines and bars."""

import pytest

from workbench.render.marks import (
    ASCII_SIGNS,
    SIGNS,
    STATE_COLORS,
    bar,
    funnel,
    sparkline,
    split_bar,
    stacked_bar,
    state_symbol,
)


def test_every_state_has_a_symbol_and_a_colour() -> None:
    assert set(SIGNS) == set(ASCII_SIGNS) == set(STATE_COLORS)
    assert all(character.isascii() for character in ASCII_SIGNS.values())
    assert state_symbol("nonsense") == "?"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([None], ""),
        ([0.5], "▅"),
        ([0.1, 0.1], "▅▅"),
        ([0.0, 0.5, 1.0], "▁▅█"),
        ([None, 0.0, None, 1.0], "▁█"),
        ([0.0, 0.2, 0.4, 0.5, 0.7, 0.8, 1.0], "▁▅█"),  # the first, one of the middle, the last
        ([1.0, 0.0, 0.5, 0.5], "█▅▅"),  # the scale is that of all
        ([0.98, 0.99], "▄▅"),  # a range of less than a tenth is widened
        ([0.8, 0.9], "▁█"),
        ([0.8, 0.885], "▂▇"),
        ([0.8, 0.85, 0.91], "▁▄█"),
    ],
)
def test_sparkline(values: list[float | None], expected: str) -> None:
    assert sparkline(values, 3) == expected


def test_a_sparkline_is_the_whole_curve_in_every_width() -> None:
    rising = [epoch / 20 for epoch in range(21)]
    assert sparkline(rising, 0) == ""
    assert sparkline(rising, 1) == "█"
    assert sparkline(rising, 8) == "▁▂▃▄▅▆▇█"
    for width in (2, 7, 11, 40):
        drawn = sparkline(rising, width)
        assert (len(drawn), drawn[0], drawn[-1]) == (min(width, 21), "▁", "█")
    assert sparkline([0.0, 0.5], 2, beside=[None, 1.0]) == "▁▅"  # on the scale of both


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "    "), (0.5, "██  "), (1, "████"), (0.125, "▌   "), (-1, "    "), (2, "████")],
)
def test_bar(share: float, expected: str) -> None:
    assert bar(share, 4) == expected


def test_stacked_bar() -> None:
    parts = ((30, "green"), (1, "red"))
    assert stacked_bar(parts, 60, 10).plain == "█████▒"
    assert stacked_bar(((0, "green"), (60, "red")), 60, 3, utf8=False).plain == "xxx"


@pytest.mark.parametrize(
    ("solid", "shaded", "expected"),
    [
        (60, 0, "██████"),
        (0, 30, "▒▒▒   "),
        (20, 40, "██▒▒▒▒"),
        (59, 1, "█████▒"),  # a part above 0 has a cell
        (1, 59, "█▒▒▒▒▒"),
        (1, 0, "█     "),
        (1, 2, "▒     "),  # one cell is that of the larger part
        (0, 0, "      "),
    ],
)
def test_a_bar_of_two_parts(solid: int, shaded: int, expected: str) -> None:
    assert split_bar(solid, shaded, 60, 6).plain == expected
    ascii_bar = split_bar(solid, shaded, 60, 6, utf8=False).plain
    assert ascii_bar == expected.replace("█", "#").replace("▒", "=")


@pytest.mark.parametrize(
    ("left", "right", "expected", "ascii_line"),
    [
        (1.0, 0.0, "━━━━┃╸    ", "----|-    "),
        (0.4, 1.0, "  ╺━┃━━━━ ", "  --|---- "),
        (0.0, 0.5, "   ╺┃━━   ", "   -|--   "),
    ],
)
def test_lines_from_the_middle(left: float, right: float, expected: str, ascii_line: str) -> None:
    assert funnel(left, right, 10) == expected
    assert funnel(left, right, 10, utf8=False) == ascii_line


def test_ascii() -> None:
    assert sparkline([0, 1], 5, utf8=False) == "_@"
    assert bar(0.5, 4, utf8=False) == "##.."
