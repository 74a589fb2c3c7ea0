"""The experiment of a sweep as its record keeps it, for trials that are added later."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.bases.weights import IMAGENET, RANDOM
from workbench.cli.options import ExperimentOptions
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.runs.sweep import Sweep


def absolute(given: ExperimentOptions) -> ExperimentOptions:
    """Return the experiment with absolute paths: trials may be added from another folder."""
    file = given.file.absolute() if given.file else None
    source, weights = given.source, given.weights
    if source is not None and parse_path(source).exists():
        source = str(parse_path(source).absolute())
    if weights is not None and weights not in (IMAGENET, RANDOM):
        weights = str(parse_path(weights).absolute())
    return replace(given, file=file, source=source, weights=weights)


def recorded(given: ExperimentOptions) -> dict[str, Any]:
    """Return the experiment for the record, with the content of its file."""
    fields = asdict(given) | {"file": str(given.file) if given.file else None, "name": None}
    return fields | {"content": given.file.read_text("utf-8", "replace") if given.file else ""}


def restored(chosen: "Sweep") -> ExperimentOptions:
    """Return the experiment of a sweep.

    Raises:
        UserError: Its file has changed, so that new trials would not be comparable.
    """
    fields = dict(chosen.given)
    content = fields.pop("content", None)
    try:
        file = Path(fields["file"]) if fields["file"] else None
        given = ExperimentOptions(**{**fields, "file": file, "settings": tuple(fields["settings"])})
    except (KeyError, TypeError):
        raise UserError(
            tr("Nothing can be added to {name}.", name=chosen.name), tr("Start a new sweep.")
        ) from None
    if file and (not file.is_file() or file.read_text("utf-8", "replace") != content):
        raise UserError(
            tr("{file} has changed since {name} was started.", file=safe_text(file),
               name=chosen.name),
            tr("Restore it, or start a new sweep: trials of two specs cannot be compared."),
        )  # fmt: skip
    return given
