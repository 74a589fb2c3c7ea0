"""Each lesson's conclusion on made-up results: the effect seen, absent, reversed."""

from typing import Any

import pytest
from fake_lessons import EXAMPLES, freezing, moved_run, results, run

from workbench.lessons.catalogue import LESSONS, conclude, lesson_picture, lesson_table
from workbench.lessons.convnets import EVEN
from workbench.lessons.lesson import BarPlot, CurvePlot
from workbench.render.lessons import format_lesson_picture, format_lesson_results


def concluded(lesson: str, runs: dict[str, Any], **more: Any) -> tuple[bool, str]:
    found = conclude(results(lesson, runs, **more))
    return found.seen, "\n".join(found.lines)


def border_runs(same: float, valid: float = 0.0) -> dict[str, Any]:
    """Maps whose border differs from their middle, 1, by so much."""

    def made(apart: float) -> dict[str, Any]:
        return run(0.9, rings={"even": [1 - apart, 1.0], "images": [0.1, 1.0]})

    return {"valid": made(valid), "same": made(same), "same, stride 2": made(same)}


def ways(seconds: float, accuracy: float = 0.9, validation: float = 0.9) -> dict[str, Any]:
    streamed = {**run(accuracy, validation=validation), "seconds": seconds}
    return {"cached": {**run(0.9), "seconds": 10.0}, "streamed": streamed}


def depths(upper: float, lower: float) -> dict[str, Any]:
    return {
        "head alone": run(0.8),
        "upper blocks": run(upper),
        "lower blocks": run(lower),
        "everything": run(0.8),
    }


def two(lesson: str, first: float, second: float) -> dict[str, Any]:
    """Runs of a lesson's first two variants with these accuracies."""
    return {name: run(a) for name, a in zip(EXAMPLES[lesson], (first, second), strict=False)}


SAME = "the same accuracy in every epoch"
SEEN = {
    "borders": [
        (
            border_runs(same=0.2),
            "same: 8x8x1. On an even image, the border differs from the middle by 20.0 %.",
            "valid: 8x8x1. On an even image, border and middle are alike.",
        )
    ],
    "pooling": [(two("pooling", 0.95, 0.80), "pooling reduces overfitting (+15.0 points")],
    "overfitting": [
        (
            two("overfitting", 0.80, 0.90),
            "Without a remedy, training ends 20.0 points ahead of validation.",
            "dropout: gap 10.0 points, smaller (-10.0 points",
            "accuracy higher (+10.0 points",
        )
    ],
    "recompile": [
        (
            freezing(0.0195),
            "it moved by 1.95 % of its size: `trainable = False` had no effect",
            "the first step after a compile fixes what trains",
        )
    ],
    "two-ways": [(ways(12.1), "caching was 1.2 times as fast", SAME)],
    "preprocessing": [(two("preprocessing", 0.9, 0.7), "own is better, by 20.0 points (noise")],
    "depth": [
        (
            depths(upper=0.9, lower=0.7),
            "upper blocks: accuracy 90.0 %, better (+10.0 points",
            "lower blocks: accuracy 70.0 %, worse (-10.0 points",
            "everything: accuracy 80.0 %, no difference seen",
            "Upper against lower blocks: upper blocks is better, by 20.0 points (noise",
        )
    ],
}
ABSENT_OR_REVERSED = {
    "pooling": [
        (two("pooling", 0.80, 0.95), "less without pooling (-15.0 points"),
        (two("pooling", 0.95, 0.945), "no difference seen (+0.5 points"),
    ],
    "overfitting": [
        (
            two("overfitting", 0.90, 0.80),
            "dropout: gap 20.0 points, larger (+10.0 points",
            "accuracy lower (-10.0 points",
        ),
        (
            two("overfitting", 0.80, 0.805),
            "gap 19.5 points, no difference seen",
            "accuracy no difference seen",
        ),
        # A gap of 2.5 points is below the least that counts, however surely it is there.
        (two("overfitting", 0.975, 1.0), "no overfitting to be seen here"),
    ],
    "recompile": [
        (
            freezing(0.0, early=0.01),
            "this Keras applies the change at once",
            "even then a compile is needed",
        ),
        (freezing(0.02, compiled=0.01),),
    ],
    "two-ways": [
        (ways(11.9), "no difference seen", SAME),
        (ways(8.0), "caching did not pay off", SAME),
        (ways(30.0, accuracy=0.6, validation=0.6), "cached is better, by 30.0 points (noise"),
    ],
    "preprocessing": [
        (two("preprocessing", 0.7, 0.9), "1/255 is better, by 20.0 points (noise"),
        (two("preprocessing", 0.9, 0.895), "no difference seen (-0.5 points"),
    ],
    "depth": [
        (depths(upper=0.805, lower=0.8), "these images do not show which part to train"),
    ],
}


@pytest.mark.parametrize(
    ("lesson", "case", "seen"),
    [
        (lesson, case, seen)
        for seen, cases in ((True, SEEN), (False, ABSENT_OR_REVERSED))
        for lesson, some in cases.items()
        for case in some
    ],
)
def test_an_effect_is_seen_or_not(lesson: str, case: tuple[Any, ...], seen: bool) -> None:
    runs, *parts = case
    found, text = concluded(lesson, runs, weights="imagenet" if LESSONS[lesson].needs_base else "")
    assert found is seen
    assert all(part in text for part in parts)


def test_pooling_compares_the_networks() -> None:
    facts = {
        "pooling": {"parameters": 1000, "receptive_field": 18},
        "no pooling": {"parameters": 30_500, "receptive_field": 7},
    }
    text = concluded("pooling", EXAMPLES["pooling"], facts=facts)[1]
    assert "30,500 parameters, with it 1,000: 30.5 times as many" in text
    assert "is 7 pixels of the image's side without, 18 with pooling" in text


@pytest.mark.parametrize(
    ("dense", "convnet", "seen", "words"),
    [
        ((0.95, 0.40), (0.96, 0.60), True, "the convnet falls less, by 19.0 points (noise"),
        ((0.95, 0.60), (0.96, 0.40), False, "the convnet falls more, by 21.0 points (noise"),
        ((0.95, 0.50), (0.95, 0.51), False, "no difference seen (-1.0 points, noise"),
        ((0.95, 0.95), (0.96, 0.96), False, "neither network falls"),
    ],
)
def test_translation(
    dense: tuple[float, float], convnet: tuple[float, float], seen: bool, words: str
) -> None:
    runs = {"dense": moved_run(*dense), "convnet": moved_run(*convnet)}
    found, text = concluded("translation", runs)
    assert found is seen
    assert words in text
    assert "Shifted by 2 pixels" in text


@pytest.mark.parametrize(
    ("same", "valid"), [(EVEN * 0.99, 0.0), (0.0, 0.0), (0.2, 0.2), (0.0, 0.2)]
)
def test_borders_that_do_not(same: float, valid: float) -> None:
    seen, text = concluded("borders", border_runs(same, valid))
    assert not seen
    assert "No effect of the padding on the border was seen." in text


def test_borders_of_maps_without_a_middle_or_activation() -> None:
    runs = border_runs(0.2)
    runs["same"]["rings"]["even"] = [0.7]
    seen, text = concluded("borders", runs)
    assert not seen
    assert "too small to have a middle" in text
    runs["same"]["rings"]["even"] = [0.0, 0.0]
    seen, text = concluded("borders", runs)
    assert not seen
    assert "does not respond to an even image" in text


@pytest.mark.parametrize(
    ("accuracies", "seen", "words"),
    [
        ((0.5, 0.7, 0.9), True, "still gained +20.0 points"),
        ((0.5, 0.9, 0.9), True, "brought no visible difference"),
        ((0.9, 0.9, 0.905), False, "no difference seen (+0.5 points"),
        ((0.9, 0.9, 0.7), False, "lost -20.0 points"),
    ],
)
def test_how_much_data(accuracies: tuple[float, ...], seen: bool, words: str) -> None:
    sizes = ("10 a class", "20 a class", "40 a class")
    runs = {size: run(a) for size, a in zip(sizes, accuracies, strict=True)}
    found, text = concluded("how-much-data", runs)
    assert found is seen
    assert words in text
    assert text.startswith("From 10 a class to 40 a class, accuracy goes from")


@pytest.mark.parametrize(("train", "mentioned"), [(0.979, True), (0.98, False)])
def test_images_that_were_not_learned_decide_nothing(train: float, mentioned: bool) -> None:
    runs = {"10 a class": run(0.9), "20 a class": run(0.9, train)}
    assert ("they were not learned yet" in concluded("how-much-data", runs)[1]) is mentioned
    gaining = {"10 a class": run(0.5), "20 a class": run(0.9, train)}
    assert "they were not learned yet" not in concluded("how-much-data", gaining)[1]


@pytest.mark.parametrize(
    ("at_once", "seen", "words"),
    [
        ((0.0241, 0.0241), True, "1.20 times, noise 1.00"),
        ((0.0239, 0.0239), False, "no difference seen"),
        ((0.03, 0.018), False, "no difference seen"),
        ((0.01, 0.01), False, "less far (0.50 times, noise 1.00), the reverse"),
    ],
)
def test_head_first(at_once: tuple[float, float], seen: bool, words: str) -> None:
    runs = {
        "head first": [run(0.9, moved={"block_16": 0.02, "head": 0.5}) for _ in at_once],
        "at once": [run(0.9, moved={"block_16": moved, "head": 0.5}) for moved in at_once],
    }
    found, text = concluded("head-first", runs, weights="imagenet")
    assert found is seen
    assert words in text


def test_random_weights_are_mentioned_first() -> None:
    runs = {"own": run(0.9), "1/255": run(0.7)}
    for weights, random in (("random", True), ("imagenet", False), ("/a/file.h5", False)):
        lines = conclude(results("preprocessing", runs, weights=weights)).lines
        assert lines[0].startswith("The base had random weights") is random


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
