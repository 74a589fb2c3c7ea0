"""Runs of a workspace side by side, read from their folders."""

from collections import Counter
from collections.abc import Sequence

from workbench.analysis.compare import (
    ComparedRun,
    Comparison,
    compare,
    load_run,
)
from workbench.analysis.errors import read_predictions
from workbench.analysis.paired import CorrectByImage
from workbench.datasets.manifest import read_manifest
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, find_run


def compare_runs(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Compare the runs of these names. Reads all their events: call it in a thread.

    Raises:
        UserError: there is no such run, or only one.
    """
    folders = list(dict.fromkeys(find_run(workspace, name) for name in names))
    if len(folders) < 2:
        raise UserError("Name at least two different runs.", "See: workbench runs")
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
