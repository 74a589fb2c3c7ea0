"""Intervals, and paired tests by hand and through runs."""

import pytest
from test_compare import facts

from workbench.analysis.compare import compare
from workbench.analysis.significance import CorrectByImage, accuracy_interval, mcnemar
from workbench.runs.events import Evaluated


def correct(right: str) -> CorrectByImage:
    """An image per letter: x right, o wrong."""
    return {(f"hash{i}", "cat"): letter == "x" for i, letter in enumerate(right)}


def test_wilson_interval() -> None:
    # 8 of 10: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) with z = 1.959964
    assert accuracy_interval(0.8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    low, high = accuracy_interval(1.0, 10)
    assert high == 1.0
    assert low < 1.0
    assert accuracy_interval(0.0, 10) == pytest.approx((0.0, 1.0 - low))
    # As tables give it: 80 right out of 100.
    assert accuracy_interval(0.8, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)


def test_only_images_that_part_the_runs_count() -> None:
    """Of five coins all on one side: 2 / 2**5. What both have right or wrong does not count."""
    pair = mcnemar("a", "b", correct("xxxxxxxxoo"), correct("oooooxxxoo"))
    assert pair is not None
    assert (pair.images, pair.only_first, pair.only_second) == (10, 5, 0)
    assert pair.p_value == pytest.approx(2 / 2**5)
    assert not pair.differ
    six = mcnemar("a", "b", correct("xxxxxx"), correct("oooooo"))
    assert six is not None
    assert six.p_value == pytest.approx(2 / 2**6)
    assert six.differ


def test_the_p_value_by_hand() -> None:
    """1 of 8 coins on one side, or fewer, or as far on the other: 2 * (1 + 8) / 2**8."""
    pair = mcnemar("a", "b", correct("xxxxxxxo"), correct("ooooooox"))
    assert pair is not None
    assert (pair.only_first, pair.only_second) == (7, 1)
    assert pair.p_value == pytest.approx(2 * 9 / 2**8)


def test_runs_that_answer_alike_do_not_differ() -> None:
    pair = mcnemar("a", "b", correct("xxo"), correct("xxo"))
    assert pair is not None
    assert (pair.only_first, pair.only_second, pair.p_value) == (0, 0, 1.0)


def test_of_many_pairs_one_would_differ_by_chance() -> None:
    pair = mcnemar("a", "b", correct("xxxxxx"), correct("oooooo"), tests=2)
    assert pair is not None
    assert pair.p_value == pytest.approx(2 * 2 / 2**6)
    assert not pair.differ


def test_only_images_of_both_are_compared() -> None:
    pair = mcnemar("a", "b", correct("xxxx"), correct("oo"))
    assert pair is not None
    assert (pair.images, pair.only_first) == (2, 2)
    assert mcnemar("a", "b", correct("x"), {}) is None


def test_the_best_run_is_held_against_each_other_one() -> None:
    def run(name: str, accuracy: float, right: str, split: str = "test"):
        plain = facts(name, [Evaluated(split=split, accuracy=accuracy)])
        return type(plain)(plain.summary, plain.spec, plain.events, None, correct(right))

    runs = [run("low", 0.2, "xoooooooo"), run("best", 0.9, "xxxxxxxxo"),
            run("mid", 0.8, "xxxxxxxoo"),
            run("validated", 0.95, "xxxxxxxxx", split="validation")]  # fmt: skip
    pairs = compare(runs).pairs
    assert [(p.first, p.second, p.only_first) for p in pairs] == [
        ("best", "low", 7),
        ("best", "mid", 1),
    ]
    assert pairs[0].p_value == pytest.approx(2 * 2 / 2**7)  # two pairs
    assert compare(runs[:1]).pairs == []
