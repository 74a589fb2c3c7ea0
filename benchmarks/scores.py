"""What scores cost: the metrics of an evaluation, and a validation whose score is monitored.

    python benchmarks/scores.py [--rounds 7] [--json FILE]

Metrics: of 10,000 images and 100 labels, scikit-learn's four values beside ours with their
intervals. Validation: a pass of a head over 1,280 features of 1,000 images with accuracy monitored
("another way"), and with macro F1 and AUC, whose predictions come out of the steps.
"""

from typing import Any

import numpy as np
from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import keras  # noqa: E402
from sklearn import metrics  # noqa: E402

from workbench.analysis.scores import measure_score, measure_scores  # noqa: E402
from workbench.training.backend import prepare_device  # noqa: E402
from workbench.training.backends import CALL_LENGTHS  # noqa: E402
from workbench.training.fused_steps import FusedSteps  # noqa: E402
from workbench.training.pieces import pieces, place_on_device  # noqa: E402

IMAGES, LABELS = 10_000, 100
VALIDATION, BATCH = 1_000, 32
REPEATS = 20  # passes of a measurement


def scikit_learns(labels: np.ndarray, probabilities: np.ndarray) -> list[Any]:
    """Return the four metrics."""
    predicted = probabilities.argmax(axis=1)
    return [
        metrics.f1_score(labels, predicted, average="macro"),
        metrics.balanced_accuracy_score(labels, predicted),
        metrics.top_k_accuracy_score(labels, probabilities, k=5),
        metrics.roc_auc_score(labels, probabilities, multi_class="ovr"),
    ]


def of_metrics(rounds: int) -> Row:
    """Compare the metrics."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, LABELS, IMAGES)
    odds = rng.random((IMAGES, LABELS))
    odds[np.arange(IMAGES), labels] += 0.5
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    found = in_turns(
        {
            "theirs": lambda: seconds(lambda: scikit_learns(labels, probabilities)),
            "ours": lambda: seconds(lambda: measure_scores(labels, probabilities)),
        },
        rounds,
    )
    return by_seconds(
        f"four metrics, {IMAGES:,} images, {LABELS} labels", found["theirs"], found["ours"]
    )


def of_validation(rounds: int) -> list[Row]:
    """Compare a validation that monitors accuracy with those of two scores."""
    inputs = keras.Input((1280,))
    x = keras.layers.Dense(128, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile("rmsprop")
    model.optimizer.build(model.trainable_variables)
    labels = np.arange(VALIDATION) % 2
    features = np.random.default_rng(1).random((VALIDATION, 1280), np.float32)
    placed = place_on_device(features, prepare_device(False))
    fused = FusedSteps(model, 2, labels[:, None].astype(np.float32))

    def passes(score: str = "") -> float:
        return seconds(lambda: [_validate(score) for _ in range(REPEATS)]) / REPEATS

    def _validate(score: str) -> None:
        rows, found = np.arange(VALIDATION), []
        with pieces(placed, rows, rows, BATCH) as take:
            while piece := take(CALL_LENGTHS[-1]):
                results = fused.evaluate(piece, predict=bool(score))
                list(results)
                found += [results.probabilities] if score else []
        if score:
            measure_score(score, labels, np.concatenate(found))

    for score in ("", "macro_f1", "auc"):  # compiles
        passes(score)
    took = in_turns(
        {
            "accuracy": passes,
            "macro F1": lambda: passes("macro_f1"),
            "AUC": lambda: passes("auc"),
        },
        rounds,
    )
    return [
        by_seconds(f"validation of {VALIDATION:,} images, {name}", took["accuracy"], took[name])
        for name in ("macro F1", "AUC")
    ]


if __name__ == "__main__":
    given = parser(__doc__, rounds=7).parse_args()
    rows = [of_metrics(given.rounds), *of_validation(given.rounds)]
    show(rows, given.json, ("another way", "workbench"))
