"""Errors of a run, by hand: losses, pairs, calibration, thresholds."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.analysis.calibration import calibration, describe_bins, describe_calibration
from workbench.analysis.errors import (
    LARGEST_LOSS,
    PredictionTable,
    confused_pairs,
    image_losses,
    read_predictions,
    top_losses,
)
from workbench.analysis.thresholds import describe_threshold, is_binary, ranking, threshold_metrics
from workbench.errors import UserError

HEADER = "path,label,predicted,cat,dog\n"


def table(*given: tuple[str, float]) -> PredictionTable:
    """Of two labels: the true one and the probability of dog for each image."""
    dog = np.array([p for _, p in given])
    return PredictionTable(
        ("cat", "dog"),
        tuple(f"{n}.png" for n in range(len(given))),
        np.array([label == "dog" for label, _ in given], np.int64),
        (dog > 0.5).astype(np.int64),
        np.stack([1 - dog, dog], axis=1),
    )


def confident(confidence: float, right: int, wrong: int) -> PredictionTable:
    """Images of cats that were called cat with one confidence, or dog with the same."""
    return table(*[("cat", 1 - confidence)] * right, *[("cat", confidence)] * wrong)


def written(folder: Path, text: str) -> Path:
    path = folder / "predictions.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def test_predictions_are_read_by_position_not_by_name(tmp_path: Path) -> None:
    """A label may be called label."""
    text = 'path,label,predicted,path,label\n"a,\n\udcff.png",path,label,0.25,0.75\n'
    read = read_predictions(written(tmp_path, text))
    assert (read.names, read.paths) == (("path", "label"), ("a,\n\udcff.png",))
    assert (read.labels.tolist(), read.predicted.tolist()) == ([0], [1])
    assert read.probabilities.tolist() == [[0.25, 0.75]]
    assert read.confidence.tolist() == [0.75]
    assert read.right.tolist() == [False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the columns are not"),
        ("path,label,predicted,cat\n", "line 1: the columns are not"),
        ("path,label,predicted,cat,cat\n", "line 1: the columns are not"),
        (HEADER, "line 1: no images"),
        (HEADER + "a,cat,cat,0.5\n", "line 2: 4 columns"),
        (HEADER + "a,cow,cat,0.5,0.5\n", "line 2: the label 'cow' has no column"),
        (HEADER + "a,cat,cat,1,0\na,cat,cat,nan,0.5\n", "line 3: 'nan' is not a probability"),
        (HEADER + "a,cat,cat,1.1,0\n", "line 2: '1.1' is not a probability"),
        (HEADER + "a,cat,cat,x,0\n", "line 2: could not convert"),
    ],
)
def test_a_damaged_table_is_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=f"is damaged at {words}"):
        read_predictions(written(tmp_path, text))


def test_before_the_end_there_are_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no predictions yet"):
        read_predictions(tmp_path / "predictions.csv")


def test_the_largest_losses_come_first_right_or_wrong() -> None:
    found = top_losses(table(("cat", 0.0), ("cat", 0.75), ("dog", 0.625), ("dog", 0.9)), 3)
    assert [(one.path, one.label, one.predicted) for one in found] == [
        ("1.png", "cat", "dog"),
        ("2.png", "dog", "dog"),
        ("3.png", "dog", "dog"),
    ]
    assert [one.loss for one in found] == pytest.approx([-math.log(p) for p in (0.25, 0.625, 0.9)])
    assert [one.certainty for one in found] == [0.75, 0.625, 0.9]


def test_a_probability_that_was_rounded_away_has_the_largest_loss() -> None:
    losses = image_losses(table(("cat", 1.0), ("cat", 1 - 1e-6)))
    assert losses[0] == LARGEST_LOSS == pytest.approx(14.509, abs=1e-3)
    assert losses[1] == pytest.approx(-math.log(1e-6))


def test_pairs_are_counted_as_shares_of_their_label() -> None:
    found = confused_pairs(
        table(*[("cat", 0.9)] * 3, ("cat", 0.1), *[("dog", 0.2)] * 4, *[("dog", 0.8)] * 12), 5
    )
    assert [(one.label, one.predicted, one.count, one.share) for one in found] == [
        ("dog", "cat", 4, 0.25),
        ("cat", "dog", 3, 0.75),
    ]
    assert confused_pairs(table(("cat", 0.1)), 5) == []


def test_bins_and_calibration_error_by_hand() -> None:
    """Half of the images are 0.75 confident and all right, half 0.95 confident and half right."""
    given = [*[("cat", 0.25)] * 4, *[("cat", 0.05)] * 2, *[("cat", 0.95)] * 2]
    found = calibration(table(*given))
    filled = [one for one in found.bins if one.right + one.wrong]
    assert [(one.low, one.high, one.right, one.wrong) for one in filled] == [
        (0.7, 0.8, 4, 0),
        (0.9, 1.0, 2, 2),
    ]
    assert [one.accuracy for one in filled] == [1.0, 0.5]
    assert [one.confidence for one in filled] == pytest.approx([0.75, 0.95])
    assert found.error == pytest.approx(0.5 * 0.25 + 0.5 * 0.45)
    assert (found.confidence, found.accuracy) == (pytest.approx(0.85), 0.75)
    assert len(found.bins) == 10
    assert found.bins[0].accuracy is None
    assert calibration(confident(1.0, 1, 0)).bins[9].right == 1  # 1 belongs to the last bin


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (confident(0.9, 70, 30), "over-confident"),
        (confident(0.7, 90, 10), "under-confident"),
        (confident(0.9, 360, 40), "calibrated"),
        (confident(0.9, 18, 2), "inconclusive"),  # as expected, but chance moves 20 images far
        (confident(0.99, 0, 19), "inconclusive"),  # too few, however wrong
        (confident(0.99, 0, 20), "over-confident"),
        (confident(1.0, 50, 0), "calibrated"),
        # 0.6 confident and always right, 0.99 confident and right in so many that the sums agree
        (table(*[("cat", 0.4)] * 100, *[("cat", 0.01)] * 59, *[("cat", 0.99)] * 41), "uneven"),
    ],
)  # fmt: skip
def test_only_what_is_beyond_chance_is_reported(given: PredictionTable, verdict: str) -> None:
    found = calibration(given)
    assert found.verdict == verdict
    starts = {"calibrated": "As confident as accurate", "uneven": "Calibrated on average"}
    start = starts.get(verdict, verdict)
    assert start.lower() in describe_calibration(found, len(given.paths)).lower()


def test_bins_conclude_no_more_than_chance_allows() -> None:
    """The mean may be off beyond chance where the bins, one by one, are not."""
    found = replace(calibration(confident(0.9, 82, 18)), error=0.129, chance_error=0.129)
    assert found.verdict == "over-confident"
    assert describe_bins(found, 100) == (
        "Bin by bin (expected calibration error 0.129) nothing more is certain: chance alone makes "
        "up to 0.129."
    )
    assert describe_bins(replace(found, chance_error=0.128), 100) == (
        "Bin by bin (expected calibration error 0.129) the deviation is larger than chance alone "
        "makes (up to 0.128)."
    )


@pytest.mark.parametrize(("images", "enough"), [(19, False), (20, True)])
def test_of_few_images_bins_show_nothing(images: int, enough: bool) -> None:
    found = calibration(confident(0.99, 0, images))
    assert found.error > found.chance_error
    assert describe_bins(found, images).endswith("too few images for a conclusion.") is not enough


def test_over_confident_starts_where_chance_ends() -> None:
    """Of 100 at 0.9, 84 or fewer are right in 4.0 of 100 runs, 83 or fewer in 2.1 (binomial)."""
    assert calibration(confident(0.9, 85, 15)).verdict != "over-confident"
    assert calibration(confident(0.9, 82, 18)).verdict == "over-confident"
    assert calibration(confident(0.9, 82, 18), seed=2).verdict == "over-confident"


def test_thresholds_by_hand() -> None:
    given = table(("cat", 0.1), ("cat", 0.7), ("dog", 0.6), ("dog", 0.7), ("dog", 0.9))
    at = threshold_metrics(given, 0.7)  # the threshold itself is called dog
    assert (at.false_alarms, at.misses, at.positives, at.negatives) == (1, 1, 3, 2)
    assert (at.precision, at.recall) == (2 / 3, 2 / 3)
    none = threshold_metrics(given, 0.95)
    assert (none.precision, none.recall, none.misses) == (None, 0.0, 3)


def test_areas_by_hand() -> None:
    """Of the six pairs of a cat and a dog, four are in order and one is a tie."""
    given = table(("cat", 0.1), ("cat", 0.7), ("dog", 0.6), ("dog", 0.7), ("dog", 0.9))
    found = ranking(given)
    assert found.area == pytest.approx(4.5 / 6)
    # recall 1/3 at precision 1, 2/3 at 2/3, 1 at 3/4
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # false alarms: none with 1/3 found, half with 2/3 and then with all
    assert [found.roc[at] for at in (0, 25, 50, 100)] == pytest.approx([1 / 3, 1 / 2, 1, 1])
    assert (found.precision[0], found.precision[100]) == (1, 0.75)
    assert found.precision[50] == pytest.approx(2 / 3)


def test_the_end_of_the_curve_is_no_threshold() -> None:
    """The most confident image is a cat: there is no precision of 1 anywhere."""
    found = ranking(table(("cat", 0.9), ("dog", 0.8), ("dog", 0.7)))
    assert found.precision[0] == 0
    assert max(found.precision) < 1


def test_two_labels_need_images_of_both() -> None:
    assert is_binary(table(("cat", 0.1), ("dog", 0.1)))
    assert not is_binary(table(("cat", 0.1), ("cat", 0.1)))


def test_a_threshold_is_described() -> None:
    given = table(*[("dog", 0.1)] * 6, *[("dog", 0.9)] * 44, ("cat", 0.8), *[("cat", 0.2)] * 32)
    assert describe_threshold(given, threshold_metrics(given, 0.7)) == (
        "At 0.7, of 100 images of dog 12 are missed (6 of 50 here), and of 100 images of cat 3 are "
        "called dog (1 of 33)."
    )
    rare = table(*[("dog", 0.1)] * 1, *[("dog", 0.9)] * 300, ("cat", 0.8), *[("cat", 0.2)] * 99)
    assert describe_threshold(rare, threshold_metrics(rare, 0.5)) == (
        "At 0.5, of 100 images of dog fewer than 1 is missed (1 of 301 here), and of 100 images "
        "of cat 1 is called dog (1 of 100)."
    )
