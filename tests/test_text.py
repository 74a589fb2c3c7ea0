"""Strings from outside are harmless in a terminal."""

import os

import pytest

from workbench.streams import supports_utf8
from workbench.text import (
    cell_width,
    cut_cells,
    format_bytes,
    format_choices,
    format_count,
    format_seconds,
    format_shape,
    group_notes,
    pad_cells,
    plural,
    safe_text,
    slice_cells,
    table,
    wrap_cells,
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\e[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x07\x00", "\\u0007\\u0000"),
        ("cat\u202egpj.exe", "cat\\u202egpj.exe"),
        ("\u2028", "\\u2028"),
        ("\x9b31m", "\\u009b31m"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("[/oops]", "[/oops]"),
        ("Häschen 猫", "Häschen 猫"),
    ],
)
def test_safe_text(hostile: str, shown: str) -> None:
    assert safe_text(hostile) == shown
    safe_text(hostile).encode("utf-8")


def test_long_names_are_cut_in_the_middle() -> None:
    assert safe_text("a" * 200) == "a" * 200
    cut = safe_text("a" * 4096 + "end.jpg")
    assert len(cut) == 200
    assert cut.endswith("end.jpg")
    assert "…" in cut


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (83_000, "83 kB"), (498_000_000, "498 MB"),
     (1.2e9, "1.2 GB"), (1e12, "1.0 TB")],
)  # fmt: skip
def test_human_bytes(size: float, shown: str) -> None:
    assert format_bytes(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
     (125, "2 min 05 s"), (11_520, "3 h 12 min"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_human_seconds(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


def test_formats() -> None:
    assert format_shape((150, 150, 3)) == "150x150x3"
    assert plural(1, "image") == "1 image"
    assert plural(1000, "image") == "1,000 images"
    assert plural(2, "class", "classes") == "2 classes"
    assert format_choices(["a"]) == "a"
    assert format_choices(("a", "b", "c")) == "a, b or c"


def test_a_note_that_several_share_is_shown_once() -> None:
    same = [(name, "no room") for name in "abcd"]
    assert group_notes([]) == []
    assert group_notes([("x", "full"), *same[:1]]) == ["x: full", "a: no room"]
    assert group_notes([*same, ("x", "full")]) == ["a, b, c, d: no room", "x: full"]
    assert group_notes([*same, ("e", "no room")]) == ["a, b, c and 2 more: no room"]


@pytest.mark.parametrize(
    ("side", "shown"), [("l", "동결 |"), ("r", " 동결|"), ("c", "동결 |")], ids=["l", "r", "c"]
)
def test_a_wide_letter_takes_two_cells(side: str, shown: str) -> None:
    assert cell_width("동결 a") == 6
    assert pad_cells("동결", 5, side) + "|" == shown
    assert pad_cells("동결", 3) == "동결"


@pytest.mark.parametrize(
    ("cells", "shown"), [(6, "미세조"), (5, "미세…"), (4, "미…"), (1, "…"), (0, "")]
)
def test_text_is_cut_at_whole_letters(cells: int, shown: str) -> None:
    assert cut_cells("미세조", cells) == shown


def test_text_is_sliced_at_whole_letters() -> None:
    assert slice_cells("미세조정 ok", [3, 4, 5]) == ["미 ", "세조", "정 ok"]
    assert slice_cells("abc", [2, 2, 2]) == ["ab", "c ", "  "]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"), (9_999, "9,999"), (10_000, "10.0 k"), (999_499, "999 k"), (1_000_000, "1.0 M"),
        (15_346_630_656, "15.3 G"), (384_000_000, "384 M"),
    ],
)  # fmt: skip
def test_counts_are_short(count: int, shown: str) -> None:
    assert format_count(count) == shown


def test_columns_of_a_table_are_aligned_by_cells() -> None:
    assert table(["이름", "n"], [["a", 1], ["합성곱", 22]], "lr") == (
        "이름     n\na        1\n합성곱  22"
    )


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "en_US.utf8"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, False),
        ({"LANG": "de_DE.UTF-8@euro"}, True),
    ],
)
def test_the_locale_decides_about_utf8(environment: dict[str, str], utf8: bool) -> None:
    assert supports_utf8(environment) is utf8


def test_a_text_with_letters_of_two_cells_is_cut_by_cells() -> None:
    assert safe_text("가나다라", 8) == "가나다라"
    assert safe_text("가나다라마바사", 10) == "가나다…사"
    assert cell_width(safe_text("가나다라마바사", 9)) <= 9


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("동결된 층은 그대로", 11, ["동결된 층은", "그대로"]),
        ("동결된 층은 그대로", 10, ["동결된", "층은", "그대로"]),
        ("층 하나", 7, ["층 하나"]),
    ],
)
def test_lines_are_as_wide_in_cells_as_asked(text: str, width: int, lines: list[str]) -> None:
    assert wrap_cells(text, width) == lines
