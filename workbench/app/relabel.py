"""Label fixes of a run's images (another label, or excluded), and a new run that uses them."""

import difflib
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from workbench.datasets.label_fixes import (
    LabelFix,
    add_label_fixes,
    existing_label_fixes,
    label_fixes_path,
    remove_label_fixes,
)
from workbench.datasets.manifest import ImageRecord, read_manifest
from workbench.datasets.names import match_label, natural_sorted
from workbench.datasets.store import source_root
from workbench.errors import UserError
from workbench.experiment.resuming import with_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.runs.fields import spec_table
from workbench.runs.folder import RunFolder, read_tables
from workbench.text import format_choices, plural, safe_text

TEST_SET_CHANGES = tr(
    "Test labels change too, and a few images their split: its accuracy "
    "cannot be compared with that of {run}."
)


class Relabeling:
    """The label fixes of a run's images.

    Attributes:
        path: of the file, which may not exist yet.
        rows: of the run's manifest.

    Raises:
        UserError: the run has no images yet, or they were never prepared in this workspace.
    """

    def __init__(self, workspace: Workspace, folder: RunFolder) -> None:
        data = spec_table(read_tables(folder), "data")
        source = str(data.get("source", ""))
        self._as_found = not data.get("corrections")  # the rows have the labels of the data folder
        self.path = label_fixes_path(workspace, source)
        self.rows = read_manifest(folder.manifest_path)
        self._writing = threading.Lock()  # the app writes in threads

    @property
    def labels(self) -> list[str]:
        """The labels that an image can have."""
        return natural_sorted({row.label for row in self.rows})

    def entries(self) -> list[LabelFix]:
        """Return all fixes so far.

        Raises:
            UserError: the file is damaged.
        """
        return existing_label_fixes(self.path)

    def new_labels(self) -> dict[str, str]:
        """Return the new label of each fixed image of the run by its path, "" if excluded."""
        labels = {one.pixel_hash: one.label for one in self.entries()}
        return {row.path: labels[row.pixel_hash] for row in self.rows if row.pixel_hash in labels}

    def find(self, given: Iterable[str]) -> list[ImageRecord]:
        """Return the rows of images, named as `workbench analyze` does or by a file path.

        Raises:
            UserError: one is not among the run's images.
        """
        by_path = {row.path: row for row in self.rows}
        root = source_root(self.path.parent)
        return [self._find(name, by_path, root) for name in given]

    def relabel(self, rows: Sequence[ImageRecord], label: str) -> int:
        """Give images a label, or "" to exclude them; earlier fixes of them are replaced.

        Returns:
            The number of fixes: an image that has the label in the data needs none.

        Raises:
            UserError: the data has no such label, or the file is damaged.
            OSError: it cannot be written.
        """
        known = match_label(label, self.labels) if label else ""
        if known is None:
            raise UserError(
                tr("The run has no label {label}.", label=safe_text(repr(label))),
                tr(
                    "Allowed: {labels}.",
                    labels=format_choices([safe_text(one, 60) for one in self.labels]),
                ),
            )
        label = known
        same = {row.pixel_hash for row in rows if self._as_found and row.label == label}
        others = [row for row in rows if row.pixel_hash not in same]
        with self._writing:
            if same & {one.pixel_hash for one in self.entries()}:
                remove_label_fixes(self.path, same)
            if others:
                add_label_fixes(
                    self.path, [LabelFix(row.path, row.pixel_hash, label) for row in others]
                )
        return len(others)

    def undo(self, given: Sequence[str]) -> int:
        """Remove the fixes of images; return how many there were.

        Raises:
            UserError: there is no such image, or the file is damaged.
            OSError: it cannot be written.
        """
        entries = {one.path: one.pixel_hash for one in self.entries()}
        unknown = [name for name in given if name not in entries]
        hashes = {entries[name] for name in given if name in entries}
        hashes |= {row.pixel_hash for row in self.find(unknown)}
        fixed = hashes & set(entries.values())
        if fixed:
            with self._writing:
                remove_label_fixes(self.path, fixed)
        return len(fixed)

    def _find(self, name: str, by_path: dict[str, ImageRecord], root: Path) -> ImageRecord:
        if name in by_path:
            return by_path[name]
        try:
            inside = parse_path(name).absolute().relative_to(root)
        except ValueError:  # it is elsewhere
            inside = Path()
        if str(inside) in by_path:
            return by_path[str(inside)]
        close = difflib.get_close_matches(name, by_path, n=3)
        raise UserError(
            tr("The run has no image {name}.", name=safe_text(name)),
            tr("Did you mean {choices}?", choices=format_choices([safe_text(one) for one in close]))
            if close
            else tr("Name it as `workbench analyze` does, or by its file path."),
        )


def corrected_spec(workspace: Workspace, folder: RunFolder) -> ExperimentSpec:
    """Return the run's spec with the label fixes of its images, without a name.

    Raises:
        UserError: there are no fixes yet, the run used fixes from elsewhere, or this version
            cannot read its spec.
    """
    spec = read_spec(folder.spec_path)
    path = label_fixes_path(workspace, spec.data.source)
    if not existing_label_fixes(path):
        raise UserError(
            tr(
                "There are no label fixes for the images of {folder_name} yet.",
                folder_name=folder.name,
            ),
            tr(
                "Start with: workbench analyze {folder_name}, then workbench "
                "relabel {folder_name} IMAGE --label L",
                folder_name=folder.name,
            ),
        )
    if spec.data.corrections not in ("", str(path)):
        raise UserError(
            tr(
                "{folder_name} was trained with other fixes, {corrections}. Those "
                "of the workspace are in {path}.",
                folder_name=folder.name,
                corrections=safe_text(spec.data.corrections),
                path=safe_text(path),
            ),
            tr("Merge them into one file, and name it in the spec as data.corrections."),
        )
    data = spec.data.model_copy(update={"corrections": str(path)})
    # A deadline is of one run; its time budget starts again.
    return with_deadline(spec.model_copy(update={"name": None, "data": data}), None)


def describe_fixes(entries: Sequence[LabelFix]) -> str:
    """Describe how many images have another label, and how many are excluded."""
    excluded = sum(not one.label for one in entries)
    return tr(
        "{images} with another label, {excluded:,} excluded",
        images=plural(len(entries) - excluded, "image"),
        excluded=excluded,
    )
