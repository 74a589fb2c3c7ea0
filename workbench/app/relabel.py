"""What a person says of a run's images: mislabelled, or to be left out; and a run that heeds it."""

import difflib
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from workbench.datasets.label_fixes import (
    Correction,
    amend,
    corrections_path,
    known_corrections,
    take_back,
)
from workbench.datasets.manifest import Row, read_manifest
from workbench.datasets.names import known_label, naturally
from workbench.datasets.store import source_root
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.paths import Workspace, given_path
from workbench.runs.folder import RunFolder
from workbench.runs.state import read_tables
from workbench.text import one_of, plural, safe_text

ANOTHER_EXAMINATION = (
    "Test labels change too, and a few images their part: its accuracy is of another "
    "examination than that of {run}."
)


class Marking:
    """The corrections that belong to a run's images, and the images by name.

    Attributes:
        path: of the file, which need not be there yet.
        rows: of the run's manifest.

    Raises:
        UserError: the run has no images yet, or they were never prepared in this workspace.
    """

    def __init__(self, workspace: Workspace, folder: RunFolder) -> None:
        data = read_tables(folder).get("data")
        data = data if isinstance(data, dict) else {}
        source = str(data.get("source", ""))
        self._as_found = not data.get("corrections")  # the rows have the labels of the data
        self.path = corrections_path(workspace, source)
        self.rows = read_manifest(folder.manifest_path)
        self._writing = threading.Lock()  # the app writes in threads

    @property
    def labels(self) -> list[str]:
        """That an image can have."""
        return naturally({row.label for row in self.rows})

    def entries(self) -> list[Correction]:
        """What was said so far.

        Raises:
            UserError: the file is damaged.
        """
        return known_corrections(self.path)

    def said(self) -> dict[str, str]:
        """The label that was given to each image of the run that was spoken of, by its path."""
        labels = {one.pixel_hash: one.label for one in self.entries()}
        return {row.path: labels[row.pixel_hash] for row in self.rows if row.pixel_hash in labels}

    def find(self, given: Iterable[str]) -> list[Row]:
        """The rows of images, named as `workbench errors` does or by a path that leads to them.

        Raises:
            UserError: one is none of the run's images.
        """
        by_path = {row.path: row for row in self.rows}
        root = source_root(self.path.parent)
        return [self._find(name, by_path, root) for name in given]

    def mark(self, rows: Sequence[Row], label: str) -> int:
        """Gives images a label, "" to leave them out; what was said of them before is replaced.

        Returns:
            Of how many it says something: of one that has the label anyway, nothing need be said.

        Raises:
            UserError: the data has no such label, or the file is damaged.
            OSError: it cannot be written.
        """
        known = known_label(label, self.labels) if label else ""
        if known is None:
            raise UserError(
                f"The run has no label {safe_text(repr(label))}.",
                f"Allowed: {one_of([safe_text(one, 60) for one in self.labels])}.",
            )
        label = known
        same = {row.pixel_hash for row in rows if self._as_found and row.label == label}
        others = [row for row in rows if row.pixel_hash not in same]
        with self._writing:
            if same & {one.pixel_hash for one in self.entries()}:
                take_back(self.path, same)
            if others:
                amend(self.path, [Correction(row.path, row.pixel_hash, label) for row in others])
        return len(others)

    def undo(self, given: Sequence[str]) -> int:
        """Takes back what was said of images; returns of how many something was said.

        Raises:
            UserError: nothing is known of such an image, or the file is damaged.
            OSError: it cannot be written.
        """
        entries = {one.path: one.pixel_hash for one in self.entries()}
        unknown = [name for name in given if name not in entries]
        hashes = {entries[name] for name in given if name in entries}
        hashes |= {row.pixel_hash for row in self.find(unknown)}
        taken = hashes & set(entries.values())
        if taken:
            with self._writing:
                take_back(self.path, taken)
        return len(taken)

    def _find(self, name: str, by_path: dict[str, Row], root: Path) -> Row:
        if name in by_path:
            return by_path[name]
        try:
            inside = given_path(name).absolute().relative_to(root)
        except ValueError:  # it lies elsewhere
            inside = Path()
        if str(inside) in by_path:
            return by_path[str(inside)]
        close = difflib.get_close_matches(name, by_path, n=3)
        raise UserError(
            f"The run has no image {safe_text(name)}.",
            f"Did you mean {one_of([safe_text(one) for one in close])}?"
            if close
            else "Name it as `workbench errors` does, or by a path that leads to it.",
        )


def corrected_spec(workspace: Workspace, folder: RunFolder) -> ExperimentSpec:
    """The run's experiment with the corrections of its images, for a new run without a name.

    Raises:
        UserError: nothing was corrected yet, the run had corrections from elsewhere, or this
            version does not take its spec.
    """
    spec = read_spec(folder.spec_path)
    path = corrections_path(workspace, spec.data.source)
    if not known_corrections(path):
        raise UserError(
            f"Nothing was corrected in the images of {folder.name} yet.",
            f"Begin: workbench errors {folder.name}, then workbench correct {folder.name} IMAGE "
            "--label L",
        )
    if spec.data.corrections not in ("", str(path)):
        raise UserError(
            f"{folder.name} was trained with corrections of its own, "
            f"{safe_text(spec.data.corrections)}; those of the workspace are in {safe_text(path)}.",
            "Bring them together in one file, and name it in the spec as data.corrections.",
        )
    data = spec.data.model_copy(update={"corrections": str(path)})
    return spec.model_copy(update={"name": None, "data": data})


def said_in_words(entries: Sequence[Correction]) -> str:
    """How many images were given another label, and how many left out."""
    left_out = sum(not one.label for one in entries)
    return f"{plural(len(entries) - left_out, 'image')} with another label, {left_out:,} left out"
