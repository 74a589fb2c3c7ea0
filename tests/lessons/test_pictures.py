"""What is drawn: the right values at the right places, for every lesson."""

import pytest
from fake_lessons import EXAMPLES, results, run

from workbench.lessons.catalogue import LESSONS, lesson_picture, lesson_table
from workbench.lessons.lesson import BarPlot, CurvePlot
from workbench.render.lessons import format_lesson_picture, format_lesson_results


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_is_shown_in_any_terminal(name: str) -> None:
    made = results(name, EXAMPLES[name], weights="random")
    text = format_lesson_results(made, 79, utf8=False).plain
    assert LESSONS[name].title in text
    assert "een here." in text
    assert all(variant in text for variant in made.variants)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 79


def test_shifts_are_means_over_the_seeds() -> None:
    first, second = EXAMPLES["translation"]["dense"], EXAMPLES["translation"]["convnet"]
    made = results("translation", {"dense": [first, second], "convnet": [second, second]})
    picture = lesson_picture(made)
    assert isinstance(picture, CurvePlot)
    assert picture.places == ("0", "6 pixels")
    names = [name for name, _ in picture.series]
    assert names == ["dense", "convnet"]
    assert picture.series[0][1] == pytest.approx((0.9, 0.9, *[0.5] * 5))


def test_maps_are_drawn_relative_to_their_middle() -> None:
    dark = {"even": [0.0, 0.0, 0.0], "images": [0.0, 0.0]}
    runs = {"valid": run(0.9, rings={"even": [1.0, 2.0], "images": [1.0, 1.0]}),
            "same": run(0.9, rings=dark)}  # fmt: skip
    picture = lesson_picture(results("borders", runs))
    assert isinstance(picture, CurvePlot)
    assert picture.series == (("valid", (0.5, 1.0, 1.0)), ("same", (None, None, None)))


def test_gaps_are_training_minus_validation() -> None:
    picture = lesson_picture(results("overfitting", {"none": run(0.7, train=0.9)}))
    assert isinstance(picture, CurvePlot)
    assert picture.series[0][1] == pytest.approx((0.2, 0.2))


def test_sizes_are_in_their_order() -> None:
    picture = lesson_picture(results("how-much-data", EXAMPLES["how-much-data"]))
    assert isinstance(picture, CurvePlot)
    assert picture.places == ("10 a class", "20 a class")
    assert picture.series == (("training", (1.0, 1.0)), ("test", (0.7, 0.9)))


def test_blocks_that_moved_stand_beside_each_other() -> None:
    picture = lesson_picture(results("head-first", EXAMPLES["head-first"]))
    assert isinstance(picture, BarPlot)
    assert [name for name, _, _ in picture.rows] == [
        "block_16, head first",
        "block_16, at once",
        "head, head first",
        "head, at once",
    ]
    assert picture.rows[0][1:] == (0.02, "2.00 %")


def test_nothing_moved_draws_empty_bars() -> None:
    bars = BarPlot("moved", (("a", 0.0, "0.00 %"),))
    assert format_lesson_picture(bars, 60, 8, utf8=False).plain == f"moved\na  {'.' * 30}  0.00 %"


def test_the_table_shows_means_and_the_range_over_the_seeds() -> None:
    made = results("pooling", {"pooling": [run(0.8), run(0.9)], "no pooling": [run(0.7)] * 2})
    row = lesson_table(made).rows[0]
    assert row == ("pooling", "0.850", "0.800-0.900", "1.000", "+15.0", "1,000", "3.0")
