"""The curve coach: each rule on both sides of its thresholds."""

import re
from dataclasses import replace

import pytest

from workbench.analysis import curve_advice as coach
from workbench.analysis.curve_advice import CurveAdvice, advise
from workbench.analysis.curves import BOOK_FACTOR, TrainingCurves, smooth
from workbench.analysis.significance import accuracy_interval

GOOD = TrainingCurves(
    loss=(0.6, 0.5, 0.45, 0.4),
    accuracy=(0.7, 0.75, 0.8, 0.82),
    val_loss=(0.6, 0.5, 0.5, 0.499),
    val_accuracy=(0.7, 0.75, 0.8, 0.82),
    best=3,
    classes=2,
    validation_images=2000,
)


def advice_on(curves: TrainingCurves) -> dict[str, CurveAdvice]:
    return {one.id: one for one in advise(curves)}


def test_no_advice_before_the_first_epoch() -> None:
    assert advise(TrainingCurves((), (), (), ())) == []
    assert advise(replace(GOOD, stage_starts=(0, 4))) == []


def test_a_falling_loss_is_still_learning() -> None:
    found = advice_on(GOOD)
    assert list(found) == ["still-learning"]
    assert found["still-learning"].sentence == (
        "still learning: validation loss fell from 0.600 to 0.499 over the last 3 epochs."
    )
    assert found["still-learning"].next_step == "more epochs, should it end like this"
    assert advice_on(replace(GOOD, working=False))["still-learning"].next_step == "more epochs"
    enough = 0.5 * (1 - coach.LEARNING_GAIN)
    assert "still-learning" in advice_on(replace(GOOD, val_loss=(0.5, 0.5, 0.5, enough - 1e-9)))
    assert "still-learning" not in advice_on(replace(GOOD, val_loss=(0.5, 0.5, 0.5, enough + 1e-9)))
    assert "still-learning" not in advice_on(replace(GOOD, val_loss=(0.6, 0.5, 0.45, 0.46)))


@pytest.mark.parametrize(
    ("last", "jumped"), [(0.45 * coach.JUMP_FACTOR, True), (0.45 * coach.JUMP_FACTOR - 1e-6, False)]
)
def test_a_jump_of_the_loss_is_a_learning_rate_too_high(last: float, jumped: bool) -> None:
    found = advice_on(replace(GOOD, loss=(0.6, 0.5, 0.45, last)))
    assert ("learning-rate-too-high" in found) is jumped


def test_small_and_old_jumps_do_not_count() -> None:
    tiny = (0.6, 0.5, 0.001, 0.001 + coach.JUMP_LEAST - 1e-6)
    assert "learning-rate-too-high" not in advice_on(replace(GOOD, loss=tiny))
    assert "learning-rate-too-high" in advice_on(replace(GOOD, loss=(0.5, 0.9, 0.4, 0.39)))
    four = (0.5,) * 4
    later = TrainingCurves((0.5, 0.9, 0.4, 0.39, 0.38), (*four, 0.9), (*four, 0.5), (*four, 0.5))
    assert "learning-rate-too-high" not in advice_on(later)


def test_guessing_level_is_not_learning() -> None:
    def after(accuracy: float, epochs: int = coach.GUESSING_EPOCHS) -> dict[str, CurveAdvice]:
        same = (0.693,) * epochs
        return advice_on(
            TrainingCurves(same, (accuracy,) * epochs, same, (0.5,) * epochs, classes=2)
        )

    edge = 0.5 + coach.GUESSING_MARGIN
    assert "not-learning" in after(edge - 1e-6)
    assert "not-learning" not in after(edge)
    assert "not-learning" not in after(0.5, coach.GUESSING_EPOCHS - 1)
    assert "guessing gives 0.500" in after(0.5)["not-learning"].sentence


def overfit(accuracy: float = 0.99, last_loss: float = 0.1, since: int = 3) -> TrainingCurves:
    epochs = 3 + since
    return TrainingCurves(
        loss=(0.6, 0.5, 0.4, *((last_loss,) * since)),
        accuracy=(0.7, 0.8, 0.85, *((accuracy,) * since)),
        val_loss=(0.6, 0.5, 0.42, *((0.5,) * since)),
        val_accuracy=(0.85,) * epochs,
        best=2,
        patience=5,
    )


def test_overfitting() -> None:
    found = advice_on(overfit())
    assert found["overfitting"].sentence == (
        "strong overfitting since epoch 3: training accuracy 0.990, validation 0.850."
    )
    assert found["overfitting"].next_step == "augmentation, more dropout, or a pretrained base"
    tuned = advice_on(replace(overfit(), pretrained=True))["overfitting"]
    assert tuned.next_step == "augmentation, more dropout, or fewer weights that train"
    changed = advice_on(replace(overfit(), augmented=True))["overfitting"]
    assert changed.next_step == "more dropout or a pretrained base"
    both = advice_on(replace(overfit(), augmented=True, pretrained=True))["overfitting"]
    assert both.next_step == "more dropout or fewer weights that train"
    assert "mild" in advice_on(overfit(0.85 + coach.STRONG_GAP - 1e-6))["overfitting"].sentence
    assert "strong" in advice_on(overfit(0.85 + coach.STRONG_GAP + 1e-6))["overfitting"].sentence
    assert "overfitting" in advice_on(overfit(0.85 + coach.OVERFIT_GAP + 1e-6))
    assert "overfitting" not in advice_on(overfit(0.85 + coach.OVERFIT_GAP - 1e-6))
    assert "overfitting" not in advice_on(overfit(since=coach.OVERFIT_EPOCHS - 1))
    edge = 0.4 * coach.OVERFIT_LOSS
    assert "overfitting" in advice_on(overfit(last_loss=edge - 1e-6))
    assert "overfitting" not in advice_on(overfit(last_loss=edge + 1e-6))


def test_patience_is_counted_down() -> None:
    assert advice_on(overfit())["stalled"].sentence == (
        "val loss: no gain for 3 epochs (best 0.420 at epoch 3); stops in 2."
    )
    assert advice_on(overfit(since=5))["stalled"].sentence.endswith("; stops now.")
    for planned, end in ((9, "; stops in 2."), (8, "epoch 3)."), (6, "epoch 3).")):  # 6 are done
        assert advice_on(replace(overfit(), planned=planned))["stalled"].sentence.endswith(end)
    assert advice_on(replace(overfit(), working=False))["stalled"].sentence.endswith("epoch 3).")
    assert advice_on(replace(overfit(), patience=0))["stalled"].sentence.endswith("epoch 3).")
    assert "stalled" not in advice_on(overfit(since=coach.STALLED_EPOCHS - 1))
    assert "stalled" not in advice_on(replace(overfit(), best=None))
    accuracy = advice_on(replace(overfit(), monitor="val_accuracy"))["stalled"].sentence
    assert accuracy.startswith("val accuracy: no gain for 3 epochs (best 0.850")
    score = replace(overfit(), monitor="val_macro_f1", val_score=overfit().val_accuracy)
    sentence = advice_on(score)["stalled"].sentence
    assert sentence == accuracy.replace("val accuracy", "val macro F1")


def test_low_and_constant_training_accuracy_is_underfitting() -> None:
    def after(recent: float, epochs: int = coach.UNDERFIT_EPOCHS) -> dict[str, CurveAdvice]:
        rest = coach.UNDERFIT_WINDOW
        accuracy = (0.8,) * (epochs - rest) + (recent,) * rest
        same = (0.5,) * epochs
        return advice_on(TrainingCurves(same, accuracy, same, same, classes=4))

    assert "underfitting" in after(0.8)
    assert "underfitting" in after(0.8 + coach.UNDERFIT_GAIN - 1e-6)
    assert "underfitting" not in after(0.8 + coach.UNDERFIT_GAIN + 1e-6)
    assert "underfitting" not in after(0.8, coach.UNDERFIT_EPOCHS - 1)
    high = (coach.UNDERFIT_ACCURACY,) * 10
    assert "underfitting" not in advice_on(TrainingCurves(high, high, high, high))


def test_fine_tuning_is_compared_with_the_stage_before() -> None:
    def with_second(accuracy: float, epochs: int = coach.WORSE_EPOCHS) -> dict[str, CurveAdvice]:
        same = (0.5,) * (2 + epochs)
        validation = (0.9, 0.94) + (accuracy,) * epochs
        return advice_on(TrainingCurves(same, same, same, validation, stage_starts=(0, 2)))

    edge = 0.94 - coach.WORSE_ACCURACY
    assert "worse-than-before" in with_second(edge - 1e-6)
    assert "worse-than-before" not in with_second(edge + 1e-6)
    assert "worse-than-before" not in with_second(0.5, coach.WORSE_EPOCHS - 1)
    assert "0.940 before it" in with_second(0.5)["worse-than-before"].sentence


def test_fine_tuning_is_compared_with_the_solved_head_it_began_with() -> None:
    """On the same images: epoch 0 is the head before the first step."""

    def after(first: float, then: float) -> dict[str, CurveAdvice]:
        validation = (first,) + (then,) * coach.WORSE_EPOCHS
        same = (0.5,) * len(validation)
        return advice_on(TrainingCurves(same, same, same, validation, first_epoch=0))

    assert "0.720 before it" in after(0.72, 0.64)["worse-than-before"].sentence
    assert "worse-than-before" not in after(0.62, 0.64)


def test_epochs_are_numbered_within_their_stage() -> None:
    one = overfit()
    before = (0.9, 0.8)
    two = replace(
        one,
        loss=before + one.loss,
        accuracy=(0.5, 0.6, *one.accuracy),
        val_loss=before + one.val_loss,
        val_accuracy=(0.5, 0.6, *one.val_accuracy),
        stage_starts=(0, 2),
        best=4,
    )
    assert advice_on(two) == advice_on(one)


def test_what_a_stage_begins_with_is_epoch_0() -> None:
    since = re.compile(r"since epoch (\d+)")
    one = advice_on(overfit())["overfitting"].sentence
    other = advice_on(replace(overfit(), first_epoch=0))["overfitting"].sentence
    assert int(since.findall(one)[0]) == int(since.findall(other)[0]) + 1


def test_few_validation_images() -> None:
    def half(images: int) -> float:
        low, high = accuracy_interval(0.82, images)
        return (high - low) / 2

    images = next(n for n in range(1, 10_000) if half(n) <= coach.NOISE)
    assert "few-validation-images" not in advice_on(replace(GOOD, validation_images=images))
    assert "few-validation-images" in advice_on(replace(GOOD, validation_images=images - 1))
    assert "few-validation-images" not in advice_on(replace(GOOD, validation_images=0))


def test_without_validation_only_that_is_reported() -> None:
    nothing = (None,) * 4
    found = advice_on(replace(GOOD, val_loss=nothing, val_accuracy=nothing, best=None))
    assert list(found) == ["no-validation"]


def test_gaps_are_allowed() -> None:
    nothing = (None,) * 6
    assert list(advice_on(TrainingCurves(nothing, nothing, nothing, nothing, classes=2))) == [
        "no-validation"
    ]
    holes = (0.5, None, 0.4, None)
    advise(TrainingCurves(holes, holes, holes, holes, classes=2, best=2, patience=1))


def test_smoothing_is_the_book_s() -> None:
    assert smooth((1.0, 0.0, 0.0)) == pytest.approx((1.0, BOOK_FACTOR, BOOK_FACTOR**2))
    assert smooth((1.0, None, 0.0), 0.5) == (1.0, None, 0.5)
    assert smooth((3.0, 5.0), 0.0) == (3.0, 5.0)
    assert smooth(()) == ()


def test_smoothing_restarts_at_a_stage() -> None:
    assert smooth((1.0, 0.0, 4.0, 4.0), 0.5, starts=(0, 2)) == (1.0, 0.5, 4.0, 4.0)


@pytest.mark.parametrize("factor", [-0.1, 1.0, 2.0, float("nan")])
def test_a_factor_beyond_its_range_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="smoothing factor"):
        smooth((1.0,), factor)
