"""How a person wants the table of runs: which metric, in which order. Kept in the workspace."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.experiment.metrics import ACCURACY, METRICS
from workbench.paths import Workspace

_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class TableSettings:
    """Settings of the table of runs.

    Attributes:
        metric: of `experiment.metrics.METRICS`.
        best_first: whether runs are sorted by it; else running ones first, then the newest.
    """

    metric: str = ACCURACY
    best_first: bool = False

    def as_text(self) -> str:
        """Return the content of the file."""
        return json.dumps(asdict(self))


def settings_path(workspace: Workspace) -> Path:
    """Return the file that keeps the settings."""
    return workspace.runs / ".table.json"


def read_settings(workspace: Workspace) -> TableSettings:
    """Return the settings that were kept; those that are missing or damaged have their defaults."""
    try:
        with settings_path(workspace).open(encoding="utf-8") as file:
            kept = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return TableSettings()
    if not isinstance(kept, dict):
        return TableSettings()
    metric = kept.get("metric")
    known = isinstance(metric, str) and metric in METRICS
    return TableSettings(str(metric) if known else ACCURACY, kept.get("best_first") is True)
