"""What is drawn: the right figures at the right places, for every experiment."""

import pytest
from made_up import EXAMPLES, results, run

from workbench.lessons.catalogue import EXPERIMENTS
from workbench.lessons.pictures import Bars, Curves, picture_of, table_of
from workbench.render.lessons import picture_text, results_text


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_shown_whole_in_any_terminal(name: str) -> None:
    made = results(name, EXAMPLES[name], weights="random")
    text = results_text(made, 79, utf8=False).plain
    assert EXPERIMENTS[name].title in text
    assert "een here." in text
    assert all(variant in text for variant in made.variants)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 79


def test_shifts_are_means_over_the_seeds() -> None:
    first, second = EXAMPLES["translation"]["dense"], EXAMPLES["translation"]["convnet"]
    made = results("translation", {"dense": [first, second], "convnet": [second, second]})
    picture = picture_of(made)
    assert isinstance(picture, Curves)
    assert picture.places == ("0", "6 pixels")
    names = [name for name, _ in picture.series]
    assert names == ["dense", "convnet"]
    assert picture.series[0][1] == pytest.approx((0.9, 0.9, *[0.5] * 5))


def test_maps_are_drawn_relative_to_their_middle() -> None:
    dark = {"even": [0.0, 0.0, 0.0], "images": [0.0, 0.0]}
    runs = {"valid": run(0.9, rings={"even": [1.0, 2.0], "images": [1.0, 1.0]}),
            "same": run(0.9, rings=dark)}  # fmt: skip
    picture = picture_of(results("borders", runs))
    assert isinstance(picture, Curves)
    assert picture.series == (("valid", (0.5, 1.0, 1.0)), ("same", (None, None, None)))


def test_gaps_are_training_minus_validation() -> None:
    picture = picture_of(results("overfitting", {"none": run(0.7, train=0.9)}))
    assert isinstance(picture, Curves)
    assert picture.series[0][1] == pytest.approx((0.2, 0.2))


def test_sizes_are_in_their_order() -> None:
    picture = picture_of(results("how-much-data", EXAMPLES["how-much-data"]))
    assert isinstance(picture, Curves)
    assert picture.places == ("10 a class", "20 a class")
    assert picture.series == (("training", (1.0, 1.0)), ("test", (0.7, 0.9)))


def test_blocks_that_moved_stand_beside_each_other() -> None:
    picture = picture_of(results("head-first", EXAMPLES["head-first"]))
    assert isinstance(picture, Bars)
    assert [name for name, _, _ in picture.rows] == [
        "block_16, head first",
        "block_16, at once",
        "head, head first",
        "head, at once",
    ]
    assert picture.rows[0][1:] == (0.02, "2.00 %")


def test_nothing_moved_draws_empty_bars() -> None:
    bars = Bars("moved", (("a", 0.0, "0.00 %"),))
    assert picture_text(bars, 60, 8, utf8=False).plain == f"moved\na  {'.' * 30}  0.00 %"


def test_the_table_tells_means_and_the_range_over_the_seeds() -> None:
    made = results("pooling", {"pooling": [run(0.8), run(0.9)], "no pooling": [run(0.7)] * 2})
    row = table_of(made).rows[0]
    assert row == ("pooling", "0.850", "0.800-0.900", "1.000", "+15.0", "1,000", "3.0")
