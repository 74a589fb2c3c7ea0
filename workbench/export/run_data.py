"""The content of a run's folder, read once; what is missing or damaged is None or empty."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workbench.datasets.manifest import read_manifest
from workbench.datasets.names import natural_sorted
from workbench.datasets.records import ImageRecord
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.runs.confusion import worst_classes
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.reader import read_events
from workbench.runs.results import Results, read_results
from workbench.runs.state import RunSummary, read_tables, summarize
from workbench.text import format_accuracy

_PACKAGES = ("backend", "keras", "tensorflow", "jax", "torch", "numpy", "pillow", "python")


@dataclass(frozen=True)
class RunData:
    """A run, from its files.

    Attributes:
        folder: of the run.
        summary: its state and main values.
        history: its events.
        tables: of the spec, not validated.
        spec: the same, validated; None if this version rejects it.
        results: of the final evaluation.
        rows: of the manifest.
    """

    folder: RunFolder
    summary: RunSummary
    history: History
    tables: dict[str, Any]
    spec: ExperimentSpec | None
    results: Results | None
    rows: tuple[ImageRecord, ...]

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the network's outputs."""
        if self.results:
            return self.results.labels
        return self.history.labels or tuple(natural_sorted({row.label for row in self.rows}))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the newest session's packages."""
        worker = self.history.worker
        found = {name: getattr(worker, name, "") for name in _PACKAGES}
        return {name: version for name, version in found.items() if version}

    @property
    def ended(self) -> str:
        """The day on which the run ended, 2026-02-24; "" if unknown."""
        return day(self.history.ended)


def read_run_data(folder: RunFolder) -> RunData:
    """Read a run.

    Raises:
        OSError: its event log exists but cannot be read.
    """
    tables = read_tables(folder)
    return RunData(
        folder,
        summarize(folder),
        fold(read_events(folder.events_path)),
        tables,
        _spec(tables),
        _results(folder),
        _rows(folder),
    )


def checked_spec(data: RunData) -> ExperimentSpec:
    """Return the run's spec.

    Raises:
        UserError: this version rejects it; the message names the key.
    """
    return data.spec or parse_spec(data.tables, str(data.folder.spec_path))


def class_table(results: Results, most: int) -> tuple[str, list[tuple[str, str, str, str]]]:
    """Return label, images, precision and recall of each class, and a caption.

    The caption is "" if these are all classes; of more than `most` those with the lowest recall
    are returned.
    """
    classes, caption = results.classes, ""
    if len(classes) > most:
        caption = f"The {most} of {len(classes):,} labels with the lowest recall"
        classes = tuple(worst_classes(classes, most))
    rows = [
        (
            one.label,
            f"{one.images:,}",
            format_accuracy(one.precision),
            format_accuracy(one.recall),
        )
        for one in classes
    ]
    return caption, rows


def day(time: float | None) -> str:
    """Return the day of a time in unix seconds, in UTC; "" for None."""
    date = _calendar(time)
    return f"{date:%Y-%m-%d}" if date else ""


def moment(time: float | None) -> str:
    """Return a time in unix seconds as 2026-02-24 10:05 UTC; "" for None."""
    date = _calendar(time)
    return f"{date:%Y-%m-%d %H:%M} UTC" if date else ""


def _calendar(time: float | None) -> datetime | None:
    try:
        return None if time is None else datetime.fromtimestamp(time, UTC)
    except (ValueError, OverflowError, OSError):  # out of range
        return None


def _spec(tables: dict[str, Any]) -> ExperimentSpec | None:
    try:
        return parse_spec(tables, "spec.toml")
    except UserError:
        return None


def _results(folder: RunFolder) -> Results | None:
    try:
        return read_results(folder.results_path)
    except UserError:
        return None


def _rows(folder: RunFolder) -> tuple[ImageRecord, ...]:
    try:
        return tuple(read_manifest(folder.manifest_path))
    except UserError:
        return ()
