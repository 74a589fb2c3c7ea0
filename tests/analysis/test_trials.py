"""The table of a sweep against values by hand."""

from typing import Any

import pytest
from event_lines import event

from workbench.analysis.trials import (
    SeedResult,
    epoch_values,
    kept_value,
    mean_interval,
    sweep_metric,
    trial_rows,
)
from workbench.runs.history import fold


def result(rate: float, seed: int, value: float | None, **more: Any) -> SeedResult:
    state = more.pop("state", "finished")
    return SeedResult({"rate": rate}, seed, f"r-{rate}-{seed}", state, value=value, **more)


def test_the_interval_of_a_mean_is_students() -> None:
    # s = 0.02, t(2) = 4.302653: 4.302653 * 0.02 / sqrt(3) = 0.049683
    low, high = mean_interval([0.88, 0.90, 0.92]) or (0, 0)
    assert (low, high) == pytest.approx((0.850317, 0.949683), abs=1e-6)
    assert mean_interval([0.9]) is None


def test_trials_are_ranked_and_compared_seed_by_seed() -> None:
    rows = trial_rows([
        result(1.0, 1, 0.80, test=0.7), result(1.0, 2, 0.82, test=0.9), result(1.0, 3, 0.84),
        result(2.0, 1, 0.88), result(2.0, 2, 0.90), result(2.0, 3, 0.92),
    ])  # fmt: skip
    best, second = rows
    assert (best.settings, best.mean) == ({"rate": 2.0}, pytest.approx(0.9))
    assert (best.difference, best.difference_interval, best.pairs) == (None, None, 0)
    assert (second.mean, second.test) == (pytest.approx(0.82), pytest.approx(0.8))
    # Each seed is 0.08 lower: the difference has no spread, though both means have.
    assert second.difference == pytest.approx(-0.08)
    assert second.difference_interval == pytest.approx((-0.08, -0.08))
    assert second.pairs == 3
    assert second.interval == pytest.approx((0.770317, 0.869683), abs=1e-6)


def test_differences_are_over_the_seeds_that_both_have() -> None:
    # Of seeds 2 and 3: -0.1 and -0.3, s = 0.141421, t(1) = 12.7062: half 1.270620.
    rows = trial_rows([
        result(1.0, 1, 0.9), result(1.0, 2, 0.9), result(1.0, 3, 0.9),
        result(2.0, 2, 0.8), result(2.0, 3, 0.6),
    ])  # fmt: skip
    assert rows[1].pairs == 2
    assert rows[1].difference == pytest.approx(-0.2)
    assert rows[1].difference_interval == pytest.approx((-1.470620, 1.070620), abs=1e-6)


def test_one_seed_has_the_interval_of_its_images() -> None:
    rows = trial_rows([result(1.0, 1, 0.5, images=100), result(2.0, 1, 0.4)])
    assert rows[0].interval == pytest.approx((0.403832, 0.596168), abs=1e-6)  # Wilson
    assert (rows[1].interval, rows[1].difference_interval) == (None, None)
    assert rows[1].difference == pytest.approx(-0.1)


def test_a_trial_with_an_unfinished_seed_is_below_all_complete_ones() -> None:
    rows = trial_rows([
        result(1.0, 1, 0.99), result(1.0, 2, 0.98, state="pruned"),
        result(2.0, 1, 0.5), result(2.0, 2, 0.5),
        result(3.0, 1, 0.7, state="training"), result(4.0, 1, None, state="planned"),
    ])  # fmt: skip
    assert [row.settings["rate"] for row in rows] == [2.0, 1.0, 3.0, 4.0]
    assert [row.mean for row in rows] == [0.5, 0.99, None, None]
    assert dict(rows[1].states) == {"finished": 1, "pruned": 1}
    assert [row.complete for row in rows] == [True, False, False, False]
    assert trial_rows([]) == []


def test_settings_in_another_order_and_lists_are_one_trial() -> None:
    one = SeedResult({"a": [1], "b": 2}, 1, "x", "finished", value=0.5)
    two = SeedResult({"b": 2, "a": [1]}, 2, "y", "finished", value=0.7)
    (row,) = trial_rows([one, two])
    assert row.mean == pytest.approx(0.6)


def test_the_monitored_metric_counts() -> None:
    assert [sweep_metric(name) for name in ("val_loss", "val_accuracy", "val_macro_f1")] == [
        "accuracy", "accuracy", "macro_f1",
    ]  # fmt: skip
    history = fold([
        event("stage_started", stage=0, epochs=3),
        event("epoch_finished", stage=0, epoch=0, val_accuracy=0.1),
        event("epoch_finished", stage=0, epoch=1, val_accuracy=0.5, val_macro_f1=0.4, best=True),
        event("epoch_finished", stage=0, epoch=2, val_accuracy=0.6),
        event("stage_finished", stage=0, kept_epoch=1),
    ])  # fmt: skip
    assert epoch_values(history, "accuracy") == [0.5, 0.6]
    assert epoch_values(history, "macro_f1") == [0.4]
    assert (kept_value(history, "accuracy"), kept_value(history, "macro_f1")) == (0.5, 0.4)


def test_a_solved_head_has_the_accuracy_of_cross_validation() -> None:
    tried = [{"value": 0.1, "accuracy": 0.7}, {"value": 1.0, "accuracy": 0.8}]
    history = fold([
        event("stage_started", stage=0),
        event("cross_validated", stage=0, chosen=1.0, tried=tried),
    ])  # fmt: skip
    assert kept_value(history, "accuracy") == 0.8
    assert kept_value(history, "auc") is None
    assert kept_value(fold([]), "accuracy") is None
