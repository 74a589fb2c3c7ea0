"""Events in words: for the lines of a terminal, the screens and the report."""

from workbench.messages import tr
from workbench.runs.events import BatchHalved, CrossValidated, StageFinished
from workbench.text import safe_text
from workbench.words import shown


def describe_batch_halved(event: BatchHalved) -> str:
    """Describe that a run continues with smaller batches."""
    sizes = event.from_size, event.to_size
    before, after = ("?" if size is None else f"{size:,}" for size in sizes)
    return tr(
        "Out of memory with batches of {before}; the run continues with batches of {after}.",
        before=before,
        after=after,
    )


def describe_kept(event: StageFinished) -> str:
    """Describe which weights a stage kept."""
    if event.kept_epoch == 0:
        return tr("kept the weights that it started with")
    return tr("kept the weights of epoch {kept}", kept=event.kept_epoch)


def describe_cross_validation(event: CrossValidated | None) -> str:
    """Describe how a stage was solved; the regularization and its accuracy."""
    if event is None:
        return tr("to be solved")
    chosen = next((one for one in event.tried if one.value == event.chosen), None)
    if chosen is None or chosen.accuracy is None or chosen.value is None:
        return tr("solved")
    return tr(
        "{solver} regression, regularization {value:.2g}, accuracy {accuracy:.3f} +- {error:.3f} "
        "in cross-validation",
        solver=shown(safe_text(event.solver, 20)),
        value=chosen.value,
        accuracy=chosen.accuracy,
        error=chosen.error or 0.0,
    )
