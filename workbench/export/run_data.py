"""All that a run's folder tells, read once; what is missing or damaged is None or empty."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workbench.datasets.manifest import Row, read_manifest
from workbench.datasets.names import naturally
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.reader import read_events
from workbench.runs.results import Results, read_results
from workbench.runs.state import RunSummary, read_tables, summarise

_PACKAGES = ("backend", "keras", "tensorflow", "jax", "torch", "numpy", "pillow", "python")


@dataclass(frozen=True)
class RunFacts:
    """A run as its files tell it.

    Attributes:
        tables: of the spec, unchecked.
        spec: the same, checked; None where this version does not take it.
        results: of the final evaluation.
        rows: of the manifest.
    """

    folder: RunFolder
    summary: RunSummary
    history: History
    tables: dict[str, Any]
    spec: ExperimentSpec | None
    results: Results | None
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Of the run."""
        return self.folder.name

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the network's outputs."""
        if self.results:
            return self.results.labels
        return self.history.labels or tuple(naturally({row.label for row in self.rows}))

    @property
    def versions(self) -> dict[str, str]:
        """Of what the newest life ran on, by package."""
        worker = self.history.worker
        return {name: str(worker[name]) for name in _PACKAGES if worker.get(name)}

    @property
    def ended(self) -> str:
        """The day on which the run ended, 2026-02-24; "" where that is not known."""
        return day(self.history.ended)


def run_facts(folder: RunFolder) -> RunFacts:
    """Reads a run.

    Raises:
        OSError: its event log is there but cannot be read.
    """
    tables = read_tables(folder)
    return RunFacts(
        folder,
        summarise(folder),
        fold(read_events(folder.events_path)),
        tables,
        _spec(tables),
        _results(folder),
        _rows(folder),
    )


def checked_spec(facts: RunFacts) -> ExperimentSpec:
    """The run's spec.

    Raises:
        UserError: this version does not take it; the key is told.
    """
    return facts.spec or parse_spec(facts.tables, str(facts.folder.spec_path))


def day(time: float | None) -> str:
    """The day of a time in unix seconds, in Greenwich; "" where there is none."""
    told = _calendar(time)
    return f"{told:%Y-%m-%d}" if told else ""


def moment(time: float | None) -> str:
    """A time in unix seconds as 2026-02-24 10:05 UTC; "" where there is none."""
    told = _calendar(time)
    return f"{told:%Y-%m-%d %H:%M} UTC" if told else ""


def _calendar(time: float | None) -> datetime | None:
    try:
        return None if time is None else datetime.fromtimestamp(time, UTC)
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
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


def _rows(folder: RunFolder) -> tuple[Row, ...]:
    try:
        return tuple(read_manifest(folder.manifest_path))
    except UserError:
        return ()
