"""Candidates of a random search, specs it rejects, and how its results are described."""

import math

import pytest

from workbench.errors import UserError
from workbench.experiment.search_space import (
    DENSE_UNITS,
    DROPOUTS,
    HIGHEST_RATE,
    LOWEST_RATE,
    Candidate,
    Trial,
    check_tunable,
    describe_trials,
    draw_candidates,
    highest_by_chance,
    rank_trials,
    standard_error,
    with_candidate,
)
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree


def make_spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [32, 32]},
        "base": {"name": "mobilenetv2-0.35"},
        "model": {"strategy": "feature-extraction", "dense_units": [48], "dropout": 0.1},
        "training": {"learning_rate": 0.003},
    }
    return parse_spec(apply_settings(tree, settings), "test")


def trial(number: int, accuracy: float | None, loss: float | None = 0.5) -> Trial:
    return Trial(number, Candidate((8,), 0.0, 0.001), 1, accuracy, loss, 1.0)


def test_the_spec_itself_comes_first_then_what_the_seed_draws() -> None:
    spec = make_spec()
    tried = draw_candidates(spec, 40, seed=1)
    assert len(tried) == 40
    assert tried[0] == Candidate((48,), 0.1, 0.003)
    for one in tried[1:]:
        assert one.dense_units in DENSE_UNITS
        assert one.dropout in DROPOUTS
        assert LOWEST_RATE <= one.learning_rate <= HIGHEST_RATE
        assert one.learning_rate == float(f"{one.learning_rate:.1e}")
    assert draw_candidates(spec, 40, seed=1) == tried
    assert draw_candidates(spec, 40, seed=2) != tried
    below = sum(one.learning_rate < 1e-3 for one in tried[1:])  # half of the decades
    assert 10 <= below <= 29


def test_settings_make_the_spec_of_the_trial() -> None:
    spec, candidate = make_spec(), Candidate((64, 8), 0.35, 0.00071)
    again = parse_spec(apply_settings(spec_tree(spec), candidate.settings), "test")
    assert again == with_candidate(spec, candidate)
    assert candidate.settings == (
        "model.dense_units=[64, 8]",
        "model.dropout=0.35",
        "training.learning_rate=0.00071",
    )


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (("data.split.validation=0", "training.keep=last"), "data.split.validation is 0"),
        (("base.prefix=streamed",), "computes them in every epoch"),
        (("augmentation.horizontal_flip=true",), "computes them in every epoch"),
        (
            ("model.strategy=fine-tuning", 'base.trainable=["top"]'),
            "this is fine-tuning: it trains blocks of the base",
        ),
    ],
)
def test_without_cached_features_or_validation_there_is_no_search(
    settings: tuple[str, ...], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        check_tunable(make_spec(*settings))
    convnet = {"data": {"source": "x"}, "model": {"strategy": "convnet", "filters": [4]}}
    with pytest.raises(UserError, match="convnet: a network without a base has no cached feat"):
        check_tunable(parse_spec(convnet, "test"))


def test_cached_features_may_be_searched_augmented_or_not() -> None:
    check_tunable(make_spec())
    check_tunable(make_spec("augmentation.horizontal_flip=true", "base.views=4"))


def test_ranks_by_accuracy_then_loss_and_diverged_last() -> None:
    trials = [trial(1, None, None), trial(2, 0.8), trial(3, 0.9, 0.4), trial(4, 0.9, 0.3)]
    assert [one.number for one in rank_trials(trials)] == [4, 3, 2, 1]


def test_accuracies_that_differ_by_rounding_are_equal() -> None:
    candidate = Candidate((), 0.0, 0.001)
    trials = [
        Trial(1, candidate, 1, 0.6333333, 0.9, 1.0),
        Trial(2, candidate, 1, 0.6333334, 1.0, 1.0),
        Trial(3, candidate, 1, 0.6333434, 1.1, 1.0),
    ]
    assert [one.number for one in rank_trials(trials)] == [3, 1, 2]


def test_the_error_of_an_accuracy_is_never_zero() -> None:
    assert standard_error(0.5, 98) == pytest.approx(math.sqrt(0.25 / 98))
    assert standard_error(1.0, 98) == pytest.approx(math.sqrt(0.99 * 0.01 / 98))


def test_the_highest_by_chance_grows_with_the_number() -> None:
    # Expected highest of 1, 2, 5, 20 standard normal values: 0, 0.564, 1.163, 1.867.
    expected = [highest_by_chance(n) for n in (1, 2, 5, 20)]
    assert expected == pytest.approx([0, 0.564, 1.163, 1.867], abs=0.03)


def test_the_best_is_optimistic_by_chance() -> None:
    error = standard_error(0.9, 100)
    lines = describe_trials([trial(1, 0.7), trial(2, 0.9)], images=100)
    assert "The best of 2 validation accuracies is optimistic" in lines[0]
    assert f"up to {100 * error * highest_by_chance(2):.1f} points" in lines[0]
    assert len(lines) == 1


def test_trials_within_one_standard_error_are_counted() -> None:
    error = standard_error(0.9, 100)
    near, far = trial(3, 0.9 - error + 1e-9), trial(4, 0.9 - error - 1e-9)
    lines = describe_trials([trial(1, 0.1), trial(2, 0.9), far], images=100)
    assert len(lines) == 1
    lines = describe_trials([trial(1, 0.1), trial(2, 0.9), far, near], images=100)
    assert lines[1].startswith("1 other trial is within one standard error")
    lines = describe_trials([trial(1, 0.9), trial(2, 0.9, 0.6), near], images=100)
    assert lines[1].startswith("2 other trials are within one standard error")
    assert lines[2] == "The spec as it was given came out best: no need to change it."


def test_one_trial_is_no_search_and_none_no_result() -> None:
    assert describe_trials([trial(1, 0.9), trial(2, None, None)], 100)[0].startswith(
        "One trial only"
    )
    assert describe_trials([trial(1, None, None)], 100)[0].startswith("Every trial diverged")
