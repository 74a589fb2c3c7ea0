"""The trials of a random search as a table."""

from workbench.experiment.search_space import Trial

TRIAL_HEADERS = ("trial", "val accuracy", "val loss", "dense_units", "dropout", "rate", "epoch")


def trial_cells(trial: Trial) -> tuple[str, ...]:
    """Return a row under `TRIAL_HEADERS`; loss and accuracy are of the best epoch."""
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
