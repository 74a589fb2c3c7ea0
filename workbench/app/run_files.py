"""What the folder of a run tells beside its events. Reads files: call it in a thread."""

import time
from dataclasses import dataclass

from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested
from workbench.runs.notes import newest_note
from workbench.runs.process import last_lines
from workbench.runs.rows import whole
from workbench.runs.watch import RunView


@dataclass(frozen=True)
class RunFiles:
    """A look at the files.

    Attributes:
        note: the newest; not safe to show as it is.
        printed: the last lines of a worker that ended without a word; likewise.
        stopping: True where a stop was asked for that has not come yet.
        checkpoint_age: seconds; None where there is no checkpoint.
    """

    note: str = ""
    printed: tuple[str, ...] = ()
    stopping: bool = False
    checkpoint_age: float | None = None


def read_files(view: RunView) -> RunFiles:
    """Looks at the files of a run."""
    folder, printed = view.folder, []
    if view.summary.state.word == "interrupted":
        start = whole(view.history.worker.get("log_start")) or 0
        printed = last_lines(folder.log_path, start)
    return RunFiles(
        newest_note(folder),
        tuple(printed),
        view.working and stop_requested(folder),
        _checkpoint_age(folder) if view.working else None,
    )


def _checkpoint_age(folder: RunFolder) -> float | None:
    """Seconds since the newest checkpoint was written."""
    try:
        written = max(
            (
                path.stat().st_mtime
                for path in folder.checkpoints.iterdir()
                if not path.name.startswith(".")
            ),
            default=None,
        )
    except OSError:  # it is being replaced, or the folder is gone
        return None
    return None if written is None else max(time.time() - written, 0.0)
