"""What folders of runs hold beside events; runs compared by it. Call it in a thread."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.text import Text

from workbench.analysis.compare import (
    ComparedRun,
    Comparison,
    compare,
    load_run,
)
from workbench.analysis.errors import read_predictions
from workbench.analysis.significance import CorrectByImage
from workbench.datasets.manifest import read_manifest
from workbench.errors import UserError
from workbench.export.run_data import RunImages
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.render.half_blocks import load_thumbnail
from workbench.runs.annotations import newest_note
from workbench.runs.events import Launched
from workbench.runs.fields import spec_table
from workbench.runs.folder import RunFolder, find_run, list_runs
from workbench.runs.launch import stop_requested
from workbench.runs.process import last_lines
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView
from workbench.text import safe_text

Box = tuple[int, int]  # cells, width and height


@dataclass(frozen=True)
class RunFiles:
    """The state of the files at one moment.

    Attributes:
        note: the newest one; not safe to show as it is.
        printed: the last lines of a worker that ended without an event; not safe either.
        stopping: True if a stop was requested and has not happened yet.
        checkpoint_age: seconds; None if there is no checkpoint.
    """

    note: str = ""
    printed: tuple[str, ...] = ()
    stopping: bool = False
    checkpoint_age: float | None = None


def read_files(view: RunView) -> RunFiles:
    """Read the files of a run."""
    folder, printed = view.folder, []
    if view.summary.state.phase == "interrupted":
        worker = view.history.worker
        start = worker.log_start if isinstance(worker, Launched) else 0
        printed = last_lines(folder.log_path, start)
    return RunFiles(
        newest_note(folder),
        tuple(printed),
        view.running and stop_requested(folder),
        _checkpoint_age(folder) if view.running else None,
    )


def error_pictures(
    workspace: Workspace, view: RunView, worst: Sequence[WorstError], box: Box, utf8: bool
) -> list[Text]:
    """Draw images that a run got wrong in characters; for a missing one, return the reason."""
    pictures = RunImages(workspace, data_source(view))
    return [load_thumbnail(partial(pictures.picture, error.path), *box, utf8) for error in worst]


def data_source(view: RunView) -> str:
    """Return the images of a run as its spec names them; "" if it does not."""
    return str(spec_table(view.spec, "data").get("source", ""))


def find_model(workspace: Workspace, given: str) -> Path:
    """Return a model file.

    It is `given` as a run, "latest" (the newest finished run), a file, or a folder with a
    model.keras: a run's or an export's. A run comes before a folder of its name.

    Raises:
        UserError: no such run or file, or the run has no model yet.
    """
    path = parse_path(given)
    if "/" in given or path.is_file() or given.endswith(".keras"):
        if (path / "model.keras").is_file():
            return (path / "model.keras").absolute()
        if not path.is_file():
            raise UserError(tr("There is no model file {given}.", given=safe_text(given)))
        return path.absolute()
    if given == "latest":
        for folder in list_runs(workspace):
            if folder.model_path.exists():
                return folder.model_path
        raise UserError(tr("No run in {runs} has a finished model yet.", runs=workspace.runs))
    try:
        return require_model(find_run(workspace, given))
    except UserError:
        if not (path / "model.keras").is_file():
            raise
    return (path / "model.keras").absolute()


def require_model(folder: RunFolder) -> Path:
    """Return the model file of a run.

    Raises:
        UserError: it does not exist yet.
    """
    if not folder.model_path.exists():
        name = safe_text(folder.name)
        raise UserError(
            tr("{name} has no model yet: it is not finished.", name=name),
            tr("See: workbench status {name}", name=name),
        )
    return folder.model_path


def _checkpoint_age(folder: RunFolder) -> float | None:
    """Return the seconds since the newest checkpoint was written."""
    try:
        paths = [path for path in folder.checkpoints.iterdir() if not path.name.startswith(".")]
        written = max((path.stat().st_mtime for path in paths), default=None)
    except OSError:  # it is being replaced, or the folder is gone
        return None
    return None if written is None else max(time.time() - written, 0.0)


def compare_runs(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Compare the runs of these names. Reads all their events: call it in a thread.

    Raises:
        UserError: there is no such run, or only one.
    """
    folders = list(dict.fromkeys(find_run(workspace, name) for name in names))
    if len(folders) < 2:
        raise UserError(tr("Name at least two different runs."), tr("See: workbench runs"))
    return compare([_load(folder) for folder in folders])


def _load(folder: RunFolder) -> ComparedRun:
    test = read_test_images(folder)
    if test is None:
        return load_run(folder)
    return load_run(folder, Counter(test.values()), read_correctness(folder, test))


def read_test_images(folder: RunFolder) -> dict[str, tuple[str, str]] | None:
    """Return hash and label of each test image by path; None if the manifest is unreadable."""
    try:
        rows = read_manifest(folder.manifest_path)
    except UserError:
        return None
    return {row.path: (row.pixel_hash, row.label) for row in rows if row.split == "test"}


def read_correctness(folder: RunFolder, test: dict[str, tuple[str, str]]) -> CorrectByImage | None:
    """Return whether each test image was predicted correctly; None without predictions.

    `test` has hash and label by path.
    """
    try:
        predictions = read_predictions(folder.predictions_path)
    except UserError:
        return None
    pairs = zip(predictions.paths, predictions.right, strict=True)
    return {test[path]: bool(right) for path, right in pairs if path in test}
