"""How a person wants the table of runs: metric, order, columns, groups. Kept in the workspace."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.app.run_query import GROUPS, METRIC, SORTS, STARTED
from workbench.experiment.metrics import ACCURACY, METRICS
from workbench.paths import Workspace
from workbench.render.run_table import OPTIONAL, USUAL

_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class TableSettings:
    """Settings of the table of runs.

    Attributes:
        metric: of `experiment.metrics.METRICS`.
        sort: what runs are sorted by, of `run_query.SORTS`; running ones come first in the order
            of their start alone.
        reverse: whether that order is turned round.
        columns: the optional ones that are shown, of `run_table.OPTIONAL`.
        group: what runs are grouped by, of `run_query.GROUPS`; "" for no groups.
    """

    metric: str = ACCURACY
    sort: str = STARTED
    reverse: bool = False
    columns: tuple[str, ...] = USUAL
    group: str = ""

    def as_text(self) -> str:
        """Return the content of the file."""
        return json.dumps(asdict(self))


def settings_path(workspace: Workspace) -> Path:
    """Return the file that keeps the settings."""
    return workspace.runs / ".table.json"


def read_table_settings(workspace: Workspace) -> TableSettings:
    """Return the settings that were kept; those that are missing or damaged have their defaults."""
    try:
        with settings_path(workspace).open(encoding="utf-8") as file:
            kept = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return TableSettings()
    if not isinstance(kept, dict):
        return TableSettings()

    def known(key: str, allowed: object, default: str) -> str:
        value = kept.get(key)
        return value if isinstance(value, str) and value in allowed else default  # type: ignore[operator]

    columns = kept.get("columns")
    listed = columns if isinstance(columns, list) else USUAL
    best_first = kept.get("best_first") is True  # of earlier versions
    return TableSettings(
        known("metric", METRICS, ACCURACY),
        known("sort", SORTS, METRIC if best_first else STARTED),
        kept.get("reverse") is True,
        tuple(name for name in OPTIONAL if name in listed),
        known("group", GROUPS, ""),
    )
