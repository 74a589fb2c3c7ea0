"""The files of stored results: saved_models/.learn/NAME-DATA.json."""

import hashlib
import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from workbench.files import write_atomic
from workbench.lessons.catalogue import LESSONS, conclude, lesson_picture, lesson_table
from workbench.lessons.results import LessonResults
from workbench.paths import Workspace

FORMAT = 1
FOLDER = ".learn"


def as_tree(results: LessonResults) -> dict[str, Any]:
    """Return plain data for JSON."""
    tree = asdict(results)
    return {"format": FORMAT, "experiment": tree.pop("lesson"), **tree}


def results_path(workspace: Workspace, lesson: str, data: str, source: Path) -> Path:
    """Return where results are stored; for a user's own images with a hash of their path.

    Args:
        workspace: holds the file, and the sets of the catalogue.
        lesson: its name.
        data: the images as the user named them.
        source: their absolute path.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data).name).strip("-.")[:40] or "data"
    if not source.is_relative_to(workspace.data):
        mark = hashlib.blake2b(str(source).encode("utf-8", "surrogateescape"), digest_size=3)
        name = f"{name}-{mark.hexdigest()}"
    return workspace.runs / FOLDER / f"{lesson}-{name}.json"


def save_results(workspace: Workspace, results: LessonResults) -> Path:
    """Write results, replacing those of the same lesson and images; return the file.

    Raises:
        OSError: it cannot be written.
    """
    path = results_path(workspace, results.lesson, results.data, Path(results.source))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(as_tree(results), indent=1))
    return path


def load_results(path: Path) -> LessonResults | None:
    """Return results from a file; None where it is missing, of another format, or incomplete."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        tree["lesson"] = tree["experiment"]
        if tree["format"] != FORMAT or tree["lesson"] not in LESSONS:
            return None
        tree["seeds"] = tuple(tree["seeds"])
        tree["runs"] = {name: tuple(map(dict, each)) for name, each in tree["runs"].items()}
        found = LessonResults(**{field.name: tree[field.name] for field in fields(LessonResults)})
        conclude(found), lesson_picture(found), lesson_table(found)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None
    return found


def newest_results(workspace: Workspace, lesson: str) -> LessonResults | None:
    """Return the newest stored results of a lesson, on any images."""
    stored: list[tuple[int, Path]] = []
    for path in (workspace.runs / FOLDER).glob(f"{lesson}-*.json"):
        try:
            stored.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue
    found = (load_results(path) for _, path in sorted(stored, reverse=True))
    return next((r for r in found if r is not None and r.lesson == lesson), None)
