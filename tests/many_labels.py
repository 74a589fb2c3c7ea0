"""Figures of runs with many labels, as an evaluation leaves them."""

from typing import Any


def many(count: int) -> dict[str, Any]:
    """results.json of a run with so many labels, three images each, the whole matrix in it.

    Label n is right in all three but for every fifth one: label 0, 5, 10, ... twice called the
    next label, and label 5 three times.
    """
    labels = [f"l{number}" for number in range(count)]
    matrix = [[0] * count for _ in labels]
    for row in range(count):
        wrong = 0 if row % 5 or row + 1 == count else 3 if row == 5 else 2
        matrix[row][row] = 3 - wrong
        if wrong:
            matrix[row][row + 1] = wrong
    right = sum(matrix[at][at] for at in range(count))
    classes = [
        {"label": label, "images": 3, "precision": 1.0, "recall": matrix[at][at] / 3}
        for at, label in enumerate(labels)
    ]
    accuracy = right / (3 * count)
    return {
        "format": 1, "split": "test", "images": 3 * count, "loss": 0.3, "accuracy": accuracy,
        "interval": [accuracy - 0.01, accuracy + 0.01], "labels": labels, "confusion": matrix,
        "classes": classes, "worst": [],
    }  # fmt: skip
