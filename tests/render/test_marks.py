"""Symbols of states, sparklines and bars."""

import pytest

from workbench.render.marks import (
    ASCII_SIGNS,
    SIGNS,
    STATE_COLORS,
    bar,
    sparkline,
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
        ([9.0, 0.0, 0.5, 1.0], "▁▅█"),  # only the last three fit
        ([0.98, 0.99], "▄▅"),  # a range of less than a tenth is widened
        ([0.8, 0.9], "▁█"),
        ([0.8, 0.885], "▂▇"),
        ([0.8, 0.85, 0.91], "▁▄█"),
    ],
)
def test_sparkline(values: list[float | None], expected: str) -> None:
    assert sparkline(values, 3) == expected


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


def test_ascii() -> None:
    assert sparkline([0, 1], 5, utf8=False) == "_@"
    assert bar(0.5, 4, utf8=False) == "##.."
