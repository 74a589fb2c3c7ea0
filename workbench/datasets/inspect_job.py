"""Scan a data source in a process of its own: `python -m workbench.datasets.inspect_job`.

Decoding thousands of images keeps a processor busy for minutes; here it blocks no terminal.
Events are written to stdout, a JSON object a line:

    {"event": "started", "pid": 4711}
    {"event": "progress", "phase": "scan", "done": 120, "total": 2000}
    {"event": "result", "folder": ..., "kind": ..., "facts": {...}, "samples": {label: [path, ...]}}
    {"event": "failed", "message": ..., "hint": ...}

The audit itself is in the data folder that the result names.
"""

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from workbench.datasets.audit import UNSPLIT, Audit
from workbench.datasets.prepare import inspect_opened, source_facts
from workbench.datasets.sources.opening import open_images
from workbench.datasets.sources.source import Source
from workbench.datasets.store import open_in
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.paths import Workspace
from workbench.progress import Progress

MODULE = "workbench.datasets.inspect_job"
PROGRESS_SECONDS = 0.2  # between two lines of progress
SAMPLES = 8  # images of each class: two rows of four
MANY_CLASSES = 100  # above which there is one of each
_UNUSABLE = "unusable"
_FACTS = TypeAdapter(DataFacts)


@dataclass(frozen=True)
class Inspection:
    """The result of a scan.

    Attributes:
        folder: The data folder, with audit.json.
        kind: How the images are laid out.
        facts: For fitting presets.
        samples: A few usable images of each class, absolute paths.
    """

    folder: Path
    kind: str
    facts: DataFacts
    samples: dict[str, tuple[Path, ...]]

    def to_event(self) -> dict[str, Any]:
        """Return plain values for `from_event`."""
        return {
            "folder": str(self.folder),
            "kind": self.kind,
            "facts": facts_to_dict(self.facts),
            "samples": {label: [str(p) for p in some] for label, some in self.samples.items()},
        }

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> "Inspection | None":
        """Read the output of `to_event`; None for any other event."""
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            samples = {
                str(label): tuple(Path(str(path)) for path in some)
                for label, some in event["samples"].items()
            }
            facts = facts_from_dict(event["facts"])
            return cls(Path(event["folder"]), str(event["kind"]), facts, samples)
        return None


def facts_to_dict(facts: DataFacts) -> dict[str, Any]:
    """Return plain values, for a JSON file."""
    values: dict[str, Any] = _FACTS.dump_python(facts, mode="json")
    return values


def facts_from_dict(values: dict[str, Any]) -> DataFacts:
    """Read the output of `facts_to_dict`.

    Raises:
        ValueError: The values are something else.
    """
    return _FACTS.validate_python(values)


def inspect_source(
    source: str, workspace: Workspace, previews: Path, progress: Progress
) -> Inspection:
    """Scan and audit a source, and choose samples.

    Args:
        source: As given by the user.
        workspace: Where the data folder is.
        previews: Where samples of an npz file are written as PNG files; created if necessary.
        progress: As `prepare.inspect`.

    Raises:
        UserError: The layout is unknown, no image can be read, or the disk has a problem.
    """
    found = open_in(workspace, source, progress)
    folder, audit = inspect_opened(found, workspace, progress)
    facts = source_facts(found)
    part = "train" if facts.user_split else UNSPLIT
    usable = tuple(by_split.get(part, 0) for by_split in audit.counts.values())
    smallest = min(sum(by_split.values()) for by_split in audit.counts.values())
    facts = replace(facts, class_images=usable, smallest_class=smallest)
    images = open_images(found.root)
    number = count()
    samples = {
        label: tuple(images.file(path, previews / f"sample-{next(number)}.png") for path in paths)
        for label, paths in _samples(found, audit).items()
    }
    return Inspection(folder, found.kind, facts, samples)


class JobOutput:
    """Writes events as lines; progress at most every PROGRESS_SECONDS and at the end of a phase."""

    def __init__(self) -> None:
        self._last = 0.0
        self._phase = ""

    def emit(self, name: str, **payload: Any) -> None:
        """Write one line, at once."""
        sys.stdout.write(json.dumps({"event": name, **payload}) + "\n")  # always ASCII
        sys.stdout.flush()

    def progress(self, phase: str, done: int, total: int) -> None:
        """Report progress; a `Progress`."""
        now = time.monotonic()
        ended = bool(total) and done >= total
        if phase != self._phase or ended or now - self._last >= PROGRESS_SECONDS:
            self._phase, self._last = phase, now
            self.emit("progress", phase=phase, done=done, total=total)


def main(arguments: list[str]) -> int:
    """Run the job.

    Args:
        arguments: The source, the workspace and, for an npz file, a folder for its samples.
    """
    source, root, *rest = arguments
    output = JobOutput()
    output.emit("started", pid=os.getpid())
    try:
        previews = Path(rest[0]) if rest else Path(root)
        inspection = inspect_source(source, Workspace(Path(root)), previews, output.progress)
    except UserError as error:
        output.emit("failed", message=error.message, hint=error.hint)
        return 2
    output.emit("result", **inspection.to_event())
    return 0


def _samples(source: Source, audit: Audit) -> dict[str, list[str]]:
    """Return paths of each class, spread over it, without unusable images."""
    bad = {file for found in audit.findings if found.code == _UNUSABLE for file in found.files}
    paths: dict[str, list[str]] = {label: [] for label in source.labels}
    for item in source.items:
        if item.path not in bad:
            paths[item.label].append(item.path)
    wanted = SAMPLES if len(paths) <= MANY_CLASSES else 1
    return {label: some[:: max(1, len(some) // wanted)][:wanted] for label, some in paths.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
