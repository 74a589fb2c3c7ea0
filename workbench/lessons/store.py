"""The files that keep results: saved_models/.learn/NAME-DATA.json."""

import hashlib
import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from workbench.files import write_atomic
from workbench.lessons.catalogue import EXPERIMENTS
from workbench.lessons.conclusions import conclude
from workbench.lessons.pictures import picture_of, table_of
from workbench.lessons.results import Results
from workbench.paths import Workspace

FORMAT = 1
FOLDER = ".learn"


def as_tree(results: Results) -> dict[str, Any]:
    """Plain data for JSON."""
    return {"format": FORMAT, **asdict(results)}


def results_path(workspace: Workspace, experiment: str, data: str, source: Path) -> Path:
    """Where results are kept; images of a person's own get a mark of their path as well.

    Args:
        data: the images as the person named them.
        source: their absolute path; sets of the catalogue lie in the workspace.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data).name).strip("-.")[:40] or "data"
    if not source.is_relative_to(workspace.data):
        mark = hashlib.blake2b(str(source).encode("utf-8", "surrogateescape"), digest_size=3)
        name = f"{name}-{mark.hexdigest()}"
    return workspace.runs / FOLDER / f"{experiment}-{name}.json"


def keep_results(workspace: Workspace, results: Results) -> Path:
    """Writes results over those of the same experiment and images; returns the file.

    Raises:
        OSError: it cannot be written.
    """
    path = results_path(workspace, results.experiment, results.data, Path(results.source))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(as_tree(results), indent=1))
    return path


def read_results(path: Path) -> Results | None:
    """Results from a file; None where it is missing, of another format, or lacks a figure."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree.pop("format") != FORMAT or tree["experiment"] not in EXPERIMENTS:
            return None
        runs = {name: tuple(map(dict, each)) for name, each in tree.pop("runs").items()}
        known = {field.name for field in fields(Results)}
        found = Results(**{k: tree[k] for k in known - {"runs", "seeds"}},
                        seeds=tuple(tree["seeds"]), runs=runs)  # fmt: skip
        conclude(found), picture_of(found), table_of(found)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None
    return found


def newest_results(workspace: Workspace, experiment: str) -> Results | None:
    """The results of an experiment that were kept last, on whatever images."""
    kept: list[tuple[int, Path]] = []
    for path in (workspace.runs / FOLDER).glob(f"{experiment}-*.json"):
        try:
            kept.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue
    found = (read_results(path) for _, path in sorted(kept, reverse=True))
    return next((r for r in found if r is not None and r.experiment == experiment), None)
