"""Scans a data source in a process of its own: `python -m workbench.datasets.inspect_job`.

Decoding thousands of images keeps a processor busy for minutes; here no terminal waits for it.
What happens is told on stdout, a JSON object a line:

    {"event": "started", "pid": 4711}
    {"event": "progress", "phase": "scan", "done": 120, "total": 2000}
    {"event": "result", "folder": ..., "kind": ..., "facts": {...}, "samples": {label: [path, ...]}}
    {"event": "failed", "message": ..., "hint": ...}

The audit itself lies in the data folder that the result names.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench.datasets.audit import UNSPLIT, Audit
from workbench.datasets.layout import recognise
from workbench.datasets.npz_source import NpzImages
from workbench.datasets.prepare import facts_of, inspect
from workbench.datasets.source import Source
from workbench.datasets.store import find_folder
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.paths import Workspace
from workbench.text import safe_text

MODULE = "workbench.datasets.inspect_job"
TELL_SECONDS = 0.2  # between two lines of progress
SAMPLES = 6  # images named of each class
MANY_CLASSES = 100  # with more of them fewer are named
_UNUSABLE = "unusable"


@dataclass(frozen=True)
class Inspection:
    """What a scan came to.

    Attributes:
        folder: the data folder, where audit.json lies.
        kind: how the images are laid out.
        facts: what presets are fitted to.
        samples: a few usable images of each class, absolute paths.
    """

    folder: Path
    kind: str
    facts: DataFacts
    samples: dict[str, tuple[Path, ...]]

    def to_event(self) -> dict[str, Any]:
        """For `from_event`; plain values."""
        return {
            "folder": str(self.folder),
            "kind": self.kind,
            "facts": facts_as_dict(self.facts),
            "samples": {label: [str(p) for p in some] for label, some in self.samples.items()},
        }

    @classmethod
    def from_event(cls, told: dict[str, Any]) -> "Inspection | None":
        """None where the event is of another make."""
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            samples = {
                str(label): tuple(Path(str(path)) for path in some)
                for label, some in told["samples"].items()
            }
            facts = facts_from_dict(told["facts"])
            return cls(Path(told["folder"]), str(told["kind"]), facts, samples)
        return None


def facts_as_dict(facts: DataFacts) -> dict[str, Any]:
    """Plain values, for a JSON file."""
    return {**asdict(replace(facts, split_images={})), "split_images": dict(facts.split_images)}


def facts_from_dict(told: dict[str, Any]) -> DataFacts:
    """The facts again.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the values are of another make.
    """
    height, width = told["image_size"]
    return DataFacts(
        image_size=(int(height), int(width)),
        uniform=bool(told["uniform"]),
        channels=int(told["channels"]),
        classes=int(told["classes"]),
        images=int(told["images"]),
        smallest_class=int(told["smallest_class"]),
        user_split=bool(told["user_split"]),
        split_images={str(part): int(n) for part, n in told["split_images"].items()},
        class_images=tuple(map(int, told.get("class_images", ()))),
    )


def look_at(source: str, workspace: Workspace, previews: Path, tell: "Teller") -> Inspection:
    """Scans, audits and surveys a source.

    Args:
        previews: where samples of an npz file are written as PNG files; made if need be.

    Raises:
        UserError: no known layout, no image that can be read, or the disk.
    """
    audit = inspect(source, workspace, tell.progress)
    found = recognise(source)
    facts = facts_of(found)
    part = "train" if facts.user_split else UNSPLIT
    usable = tuple(by_split.get(part, 0) for by_split in audit.counts.values())
    facts = replace(facts, class_images=usable)
    folder = find_folder(workspace, found.path)
    if folder is None:
        raise UserError(f"The data folder of {safe_text(found.path)} went away during the scan.")
    named = _samples(found, audit)
    if found.kind == "npz":
        return Inspection(folder, found.kind, facts, _extracted(found, named, previews))
    samples = {label: tuple(found.root / path for path in paths) for label, paths in named.items()}
    return Inspection(folder, found.kind, facts, samples)


class Teller:
    """Writes events as lines; progress at most every TELL_SECONDS, the last of a phase always."""

    def __init__(self) -> None:
        self._last = 0.0
        self._phase = ""

    def event(self, name: str, **told: Any) -> None:
        """One line, at once."""
        sys.stdout.write(json.dumps({"event": name, **told}) + "\n")  # ASCII, whatever is in it
        sys.stdout.flush()

    def progress(self, phase: str, done: int, total: int) -> None:
        """A `Progress`."""
        now = time.monotonic()
        ended = bool(total) and done >= total
        if phase != self._phase or ended or now - self._last >= TELL_SECONDS:
            self._phase, self._last = phase, now
            self.event("progress", phase=phase, done=done, total=total)


def main(arguments: list[str]) -> int:
    """Args: the source, the workspace and, for an npz file, a folder for its samples."""
    source, root, *rest = arguments
    teller = Teller()
    teller.event("started", pid=os.getpid())
    try:
        previews = Path(rest[0]) if rest else Path(root)
        inspection = look_at(source, Workspace(Path(root)), previews, teller)
    except UserError as error:
        teller.event("failed", message=error.message, hint=error.hint)
        return 2
    teller.event("result", **inspection.to_event())
    return 0


def _samples(source: Source, audit: Audit) -> dict[str, list[str]]:
    """A few paths of each class, spread over it, without what cannot be used."""
    bad = {file for found in audit.findings if found.code == _UNUSABLE for file in found.files}
    paths: dict[str, list[str]] = {label: [] for label in source.labels}
    for item in source.items:
        if item.path not in bad:
            paths[item.label].append(item.path)
    count = SAMPLES if len(paths) <= MANY_CLASSES else 1
    return {label: list(_spread(some, count)) for label, some in paths.items()}


def _spread(paths: list[str], count: int) -> Iterator[str]:
    step = max(1, len(paths) // count)
    return iter(paths[::step][:count])


def _extracted(
    source: Source, named: dict[str, list[str]], previews: Path
) -> dict[str, tuple[Path, ...]]:
    """Samples of an npz file as files, so that whoever shows them need not read all of it."""
    previews.mkdir(parents=True, exist_ok=True)
    images = NpzImages(source.root)
    found: dict[str, tuple[Path, ...]] = {}
    number = 0
    for label, keys in named.items():
        files = []
        for key in keys:
            file = previews / f"sample-{number}.png"
            images.image(key).save(file)
            files.append(file)
            number += 1
        found[label] = tuple(files)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
