"""A run's metrics for TensorBoard: loss, accuracy and learning rate of every epoch."""

from collections.abc import Sequence
from pathlib import Path

from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.export.event_file import Scalar, event_file
from workbench.export.target import check_target, staged_folder
from workbench.files import write_atomic
from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.text import safe_text

# As Keras's own callback: two folders, so that both curves share a plot.
TRAIN, VALIDATION = "train", "validation"
_METRICS = {
    TRAIN: {"loss": "loss", "accuracy": "accuracy", "learning_rate": "learning_rate"},
    VALIDATION: {"loss": "val_loss", "accuracy": "val_accuracy"},
}


def write_scalars(run: RunFolder, folder: Path, force: bool = False) -> Path:
    """Write folder/RUN/train and folder/RUN/validation, which TensorBoard shows together.

    Steps are epochs, counted through all stages.

    Returns:
        folder/RUN.

    Raises:
        UserError: there is no finished epoch, the target exists, or the disk failed.
    """
    events = read_events(run.events_path)
    parts = scalars_of(events)
    if not parts:
        raise UserError(f"{safe_text(run.name)} has no finished epoch.")
    target = folder.absolute() / run.name
    check_target(target, force, tuple(_METRICS))
    with disk_errors(target, "No scalars were written.", "name another --tensorboard DIR"):
        folder.mkdir(parents=True, exist_ok=True)
        with staged_folder(target) as fresh:
            for part, scalars in parts.items():
                began = scalars[0].time
                (fresh / part).mkdir()
                name = f"events.out.tfevents.{int(began)}.workbench"
                write_atomic(fresh / part / name, event_file(scalars, began))
    return target


def scalars_of(events: Sequence[Event]) -> dict[str, list[Scalar]]:
    """Return the metrics by folder; {} before the first epoch."""
    rows = fold(events).epochs
    found = {
        part: [
            Scalar(tag, step, value, row.t or 0.0)
            for step, row in enumerate(rows, 1)
            for tag, name in names.items()
            if (value := getattr(row, name)) is not None
        ]
        for part, names in _METRICS.items()
    }
    return {part: scalars for part, scalars in found.items() if scalars}
