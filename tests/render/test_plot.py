"""Curves as text: what is drawn where, and odd data."""

import math

import pytest
from rich.cells import cell_len

from workbench.render.canvas import Series
from workbench.render.plot import PlotOptions, epoch_at, plot

FALLING = (0.9, 0.7, 0.5, 0.4, 0.3)
RISING = (0.1, 0.2, 0.3, 0.4, 0.5)
DEFAULT = PlotOptions()
ASCII = PlotOptions(epochs=5, utf8=False)


def lines(
    *series: Series, width: int = 40, height: int = 12, options: PlotOptions = DEFAULT
) -> list[str]:
    return plot(series, width, height, options).plain.split("\n")


def curve(values: tuple[float | None, ...], name: str = "val", marker: str = "o") -> Series:
    return Series(name, values, "#d7af5f", marker=marker)


def canvas(rows: list[str]) -> list[str]:
    """The part between the axis and the names at the right side."""
    bar = rows[0].index("|")
    end = bar + len(rows[-2].strip())
    return [row[bar + 1 : end].ljust(end - bar - 1) for row in rows[:-2]]


def test_a_curve_runs_from_edge_to_edge() -> None:
    drawn = canvas(lines(curve(FALLING), options=ASCII))
    assert drawn[0].startswith("o")
    assert drawn[-1].endswith("o")
    assert all(row.strip(" o") == "" for row in drawn)


def test_the_axis_covers_the_whole_run() -> None:
    half = canvas(lines(curve(FALLING), options=PlotOptions(epochs=9, utf8=False)))
    width = len(half[0])
    assert max(row.rfind("o") for row in half) in (width // 2 - 1, width // 2)


def test_limits_are_tight_and_labelled() -> None:
    rows = lines(curve(FALLING), options=ASCII)
    assert rows[0].split("|")[0].strip() == "0.90"
    assert rows[-3].split("|")[0].strip() == "0.30"
    assert rows[5].split("|")[0].strip() == "0.57"  # the middle of its row
    assert lines(curve(FALLING), height=8, options=ASCII)[3].split("|")[0].strip() == ""


def test_limits_and_digits_are_given_where_the_scale_is_known() -> None:
    options = PlotOptions(epochs=9, utf8=False, limits=(0.0, 100.0), digits=0)
    rows = lines(Series("cpu", (20.0, 37.4), "#ffffff"), options=options)
    ticks = [row.split("|")[0].strip() for row in rows[:-2]]
    assert [tick for tick in ticks if tick] == ["100", "45", "0"]
    assert sum("cpu 37" in row for row in rows) == 1
    assert "37.4" not in "".join(rows)


def test_names_and_values_are_beside_the_last_points() -> None:
    rows = lines(curve(FALLING, "train"), curve(RISING, "val"), options=ASCII)
    row = next(row for row in rows if "train 0.300" in row)
    assert "val 0.500" in rows[rows.index(row) - 3]
    same = lines(curve(RISING, "train"), curve(RISING, "val"), options=ASCII)
    assert "train 0.500" in same[0]
    assert "val 0.500" in same[1]
    higher = Series("val", (0.1, 0.501), "#ffffff", marker="o")  # by less than a row
    near = lines(Series("train", (0.1, 0.5), "#ffffff", marker="o"), higher, options=ASCII)
    assert "val 0.501" in near[0]
    assert "train 0.500" in near[1]


def test_smoothed_curves_show_their_newest_real_value() -> None:
    shown = Series("val", (0.5, 0.6), "#ffffff", raw=(0.5, 0.9), last=0.9, marker="o")
    rows = lines(shown, options=PlotOptions(epochs=2, utf8=False))
    assert "val 0.900" in "".join(rows)
    drawn = "".join(canvas(rows))
    assert "." in drawn
    assert "o" in drawn


def test_a_narrow_plot_has_no_names() -> None:
    assert not any("val" in row for row in lines(curve(FALLING), width=24, options=ASCII))
    assert any("val" in row for row in lines(curve(FALLING), width=34, options=ASCII))


def test_stages_and_the_best_epoch_are_marked() -> None:
    options = PlotOptions(
        epochs=20, borders=((1, "stage 1"), (11, "stage 2")), best=16, best_name="best 6",
        end_name="10", utf8=False,
    )  # fmt: skip
    rows = lines(curve(FALLING * 2), width=76, options=options)
    axis, names = rows[-2:]
    column = axis.index("^")
    assert names.index("best 6") <= column < names.index("best 6") + len("best 6")
    assert names.split() == ["stage", "1", "stage", "2", "best", "6", "10"]
    border = names.index("stage 2")
    assert axis[border] == "+"
    assert sum(row[border] == ":" for row in rows[:-2]) >= len(rows) - 4


def test_wide_names_stand_below_their_marks() -> None:
    options = PlotOptions(
        epochs=20, borders=((1, "1단계"), (11, "2단계")), best=16, best_name="최고 6",
        end_name="20회", empty="없음",
    )  # fmt: skip
    rows = lines(curve(FALLING * 2), width=76, options=options)
    axis, names = rows[-2:]

    def column(name: str) -> int:
        return cell_len(names.partition(name)[0])

    assert axis[column("2단계")] == "┴"
    assert column("최고 6") + 3 == axis.index("▲")
    assert cell_len(names) == cell_len(axis)
    [empty] = (row for row in lines(width=40, options=options) if row)
    assert empty == " " * 18 + "없음"


def test_names_without_room_are_left_out_the_best_epoch_last() -> None:
    options = PlotOptions(
        epochs=4, borders=((1, "stage 1"), (2, "stage 2")), best=3, best_name="best 2",
        end_name="3",
    )  # fmt: skip
    names = lines(curve(FALLING[:3]), width=24, options=options)[-1]
    assert "best 2" in names
    assert "stage 2" not in names


@pytest.mark.parametrize(
    ("best", "names"),
    [
        (2, "best 2         8 of 60"),  # the axis ends below the last digit
        (5, "         best 2  8 of 60"),
        (8, "                  best 2"),  # it ends where the axis does
    ],
)
def test_the_end_of_the_axis_is_labelled_beside_the_best_epoch(best: int, names: str) -> None:
    options = PlotOptions(epochs=8, best=best, best_name="best 2", end_name="8 of 60")
    drawn = lines(curve(FALLING), width=38, options=options)
    left, axis = drawn[0].index("│") + 1, drawn[-2].strip()[1:]
    assert len(axis) == 22
    assert drawn[-1][left:] == names


def test_braille_only_where_the_terminal_has_it() -> None:
    braille = plot([curve(FALLING)], 40, 12, PlotOptions(epochs=5)).plain
    assert any("\u2800" < character <= "\u28ff" for character in braille)
    options = PlotOptions(5, ((1, "stage 1"), (3, "stage 2")), best=2, utf8=False)
    plain = plot([Series("val", FALLING, "#ffffff", FALLING)], 40, 12, options).plain
    assert plain.isascii()


def test_colours_are_those_asked_for() -> None:
    text = plot([curve(FALLING)], 40, 12, PlotOptions(epochs=5))
    styles = {str(span.style).lower() for span in text.spans}
    assert any("#d7af5f" in style for style in styles)


def test_a_log_axis_skips_values_without_a_logarithm() -> None:
    options = PlotOptions(epochs=5, log=True, utf8=False)
    rows = lines(curve((1.0, 0.1, 0.0, -1.0, 0.01)), options=options)
    assert rows[0].split("|")[0].strip() == "1"
    assert rows[-3].split("|")[0].strip() == "0.01"
    assert "finished" in "".join(lines(curve((0.0, -1.0)), options=options))


@pytest.mark.parametrize("options", [PlotOptions(), PlotOptions(log=True), ASCII])
@pytest.mark.parametrize(
    "values",
    [
        (),
        (None, None),
        (math.nan, math.inf, -math.inf),
        (0.5,),
        (0.5, 0.4),
        (0.5, None, 0.4),
        (0.5, math.nan, 0.4),
        (0.5, 0.5, 0.5),
        (0.0, 0.0),
        (1e-30, 2e-30),
        (1.7e308, -1.7e308),
        (1e99, -1e99),
        (7.0, 1e9),
    ],
)
def test_odd_values_are_drawn_or_left_out(
    values: tuple[float | None, ...], options: PlotOptions
) -> None:
    rows = lines(curve(values), width=38, height=10, options=options)
    assert len(rows) == 10
    assert all(len(row) <= 38 for row in rows)


def test_no_points_give_a_message() -> None:
    assert "no finished epoch yet" in "".join(lines())
    assert "no finished epoch yet" in "".join(lines(curve((None,))))


def test_gaps_stay_gaps() -> None:
    options = PlotOptions(epochs=9, utf8=False)
    level = (0.5, 0.5, None, None, None, None, None, 0.5, 0.5)
    row = next(row for row in canvas(lines(curve(level), width=60, options=options)) if "o" in row)
    assert " " * 20 in row.strip()


@pytest.mark.parametrize("size", [(0, 0), (11, 10), (40, 3)])
def test_without_room_nothing_is_drawn(size: tuple[int, int]) -> None:
    assert plot([curve(FALLING)], *size, PlotOptions()).plain == ""


@pytest.mark.parametrize("size", [(12, 4), (20, 5), (80, 24), (300, 100)])
def test_every_size_is_filled_and_not_exceeded(size: tuple[int, int]) -> None:
    rows = lines(curve(FALLING), curve(RISING), width=size[0], height=size[1])
    assert len(rows) == size[1]
    assert max(map(len, rows)) <= size[0]


def test_very_many_points_keep_their_extremes() -> None:
    count = 200_000
    values = [0.5] * count
    values[count // 3] = 1.0
    values[count // 2] = 0.0
    drawn = canvas(lines(curve(tuple(values)), options=PlotOptions(epochs=count, utf8=False)))
    assert "o" in drawn[0]
    assert "o" in drawn[-1]


def test_names_from_outside_cannot_reach_the_terminal() -> None:
    options = PlotOptions(epochs=5, borders=((1, "a\x1b[31m"), (3, "b\n\x07")), end_name="\x1b]0;")
    text = plot([curve(FALLING, "v\x1b[2J")], 80, 12, options).plain
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("\n") == 11


def test_a_window_has_its_own_limits_and_last_values() -> None:
    options = PlotOptions(epochs=5, window=(2, 4), borders=((2, "epoch 2"),), best=5,
                          best_name="best 5", end_name="4", utf8=False)  # fmt: skip
    rows = lines(curve(FALLING), options=options)
    assert rows[0].split("|")[0].strip() == "0.70"
    assert rows[-3].split("|")[0].strip() == "0.40"
    assert "val 0.400" in rows[-3]
    assert rows[-1].split() == ["epoch", "2", "4"]
    drawn = canvas(rows)
    assert drawn[0].startswith("o")
    assert drawn[-1].endswith("o")
    columns = [epoch_at(x, [curve(FALLING)], 40, 12, options) for x in range(40)]
    assert sorted({one for one in columns if one is not None}) == [2, 3, 4]


def test_a_band_lies_behind_its_curve() -> None:
    """From 0 to 1 at first; nothing at the third epoch, which has none, and beside it."""
    series = Series("train", (0.5,) * 5, "#ffffff", marker=".", low=(0.0, 0.0, None, 0.4, 0.4),
                    high=(1.0, 1.0, None, 0.6, 0.6))  # fmt: skip
    drawn = canvas(lines(series, height=13, options=ASCII))
    filled = ["".join(row[column] for row in drawn) for column in range(len(drawn[0]))]
    assert filled[0] == "'" * 5 + "." + "'" * 5
    assert filled[len(filled) // 2] == " " * 5 + "." + " " * 5
    assert filled[-1].strip() == "'.'"
