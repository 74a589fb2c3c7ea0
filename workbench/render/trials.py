"""The trials of a search as a table."""

from workbench.experiment.search_space import Trial

HEADERS = ("trial", "val accuracy", "val loss", "dense_units", "dropout", "rate", "epoch")


def cells(trial: Trial) -> tuple[str, ...]:
    """A row under `HEADERS`; the epoch is the best one, whose figures these are."""
    diverged = trial.accuracy is None or trial.loss is None
    return (
        f"{trial.number}{' as given' if trial.number == 1 else ''}",
        "-" if diverged else f"{trial.accuracy:.4f}",
        "diverged" if diverged else f"{trial.loss:.4f}",
        ", ".join(map(str, trial.candidate.dense_units)) or "none",
        f"{trial.candidate.dropout:g}",
        f"{trial.candidate.learning_rate:g}",
        str(trial.epoch or "-"),
    )
