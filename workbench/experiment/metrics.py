"""The metrics that a run is judged by: names, titles, and which direction is better.

Beside accuracy there are four, called scores, for classes of unequal size and for many classes.
`analysis.scores` computes them from labels and probabilities.
"""

from typing import Literal

from workbench.messages import tr

ACCURACY = "accuracy"
# By their names in results, events and settings; on the command line with dashes.
METRICS = {
    ACCURACY: tr("accuracy"),
    "macro_f1": tr("macro F1"),
    "balanced_accuracy": tr("balanced accuracy"),
    "top5_accuracy": tr("top-5 accuracy"),
    "auc": "AUC",
}
# In a column of a table, and beside a curve.
SHORT_TITLES = {
    ACCURACY: tr("acc"),
    "macro_f1": "F1",
    "balanced_accuracy": tr("bal acc"),
    "top5_accuracy": "top-5",
    "auc": "AUC",
}
SCORES = tuple(name for name in METRICS if name != ACCURACY)
TOP = 5  # labels of the top-5 accuracy, which says nothing where there are no more
VALIDATION = "val_"  # prefix of a metric on validation images

Monitor = Literal[
    "val_loss",
    "val_accuracy",
    "val_macro_f1",
    "val_balanced_accuracy",
    "val_top5_accuracy",
    "val_auc",
]


def monitored_score(monitor: str) -> str | None:
    """Return the score that is monitored; None for loss and accuracy, which steps return."""
    name = monitor.removeprefix(VALIDATION)
    return name if name in SCORES else None


def higher_is_better(monitor: str) -> bool:
    """Return False for a loss."""
    return not monitor.endswith("loss")


def describe_monitor(monitor: str) -> str:
    """Return a monitored metric as text: "val macro F1"; of an unknown one its name."""
    name = monitor.removeprefix(VALIDATION)
    if name == "loss":
        return tr("val loss")
    return tr("val {metrics}", metrics=METRICS.get(name, name))
