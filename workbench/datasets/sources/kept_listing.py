"""Keep what a walk through a source found, for the next process that opens the source.

Between the choice of a folder and the first batch several processes ask for its images: the first
one lists them, and the others check that no folder has changed since.
"""

import json
import sys
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from workbench.datasets.image_files import IMAGE_EXTENSIONS
from workbench.datasets.sources.listing import ACCEPTED
from workbench.datasets.sources.source import Item, Source, SourceWarning
from workbench.datasets.sources.walk import is_unchanged
from workbench.files import write_atomic

LISTING_NAME = "listing.json"
_FORMAT = 2  # raise it when folders are understood otherwise


def write_listing(folder: Path, source: Source) -> None:
    """Keep a source in its data folder, where a later change of it would be noticed."""
    if not source.evidence or source.kept:
        return
    values = {
        "made_by": _made_by(),
        "path": str(source.path),
        "root": str(source.root),
        "kind": source.kind,
        "notes": source.notes,
        "warnings": [[w.code, w.message, w.files] for w in source.warnings],
        "evidence": source.evidence,
        "items": [[item.path, item.label, item.split, item.group] for item in source.items],
    }
    with suppress(OSError):  # it is listed again then
        write_atomic(folder / LISTING_NAME, json.dumps(values) + "\n", synced=False)


def read_listing(folder: Path, path: Path) -> Source | None:
    """Return the source that is kept in a data folder; None where it has to be listed.

    Args:
        folder: The data folder.
        path: Of the source, absolute.
    """
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        values = json.loads((folder / LISTING_NAME).read_text(encoding="ascii"))
        if values["made_by"] == _made_by() and values["path"] == str(path):
            source = _source(values)
            return source if is_unchanged(source.evidence) else None
    return None


def _source(values: dict[str, Any]) -> Source:
    return Source(
        root=Path(values["root"]),
        kind=values["kind"],
        items=tuple(
            Item(path, sys.intern(label), split and sys.intern(split), sys.intern(group))
            for path, label, split, group in values["items"]
        ),
        notes=tuple(values["notes"]),
        path=Path(values["path"]),
        warnings=tuple(SourceWarning(c, m, tuple(files)) for c, m, files in values["warnings"]),
        evidence={path: tuple(stamp) for path, stamp in values["evidence"].items()},
        kept=True,
    )


def _made_by() -> str:
    """Return what else a listing depends on: readable formats, the language of its notes."""
    of = repr((_FORMAT, sorted(IMAGE_EXTENSIONS), ACCEPTED)).encode("utf-8", "surrogatepass")
    return blake2b(of, digest_size=8).hexdigest()
