"""Images without labels, packed as those of a run, in a data folder of their own."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.datasets.manifest import (
    MANIFEST_NAME,
    ImageRecord,
    ScanRecord,
    make_manifest_rows,
    read_manifest,
    write_manifest,
)
from workbench.datasets.pack import build_pack, is_whole, pack_path
from workbench.datasets.prepare import packs_while_scanning
from workbench.datasets.scan import scan
from workbench.datasets.scan_pack import ScanPack
from workbench.datasets.sixteen_bit import FULL, Levels
from workbench.datasets.sources.opening import open_unlabelled
from workbench.datasets.store import building, dataset_folder
from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.text import safe_text


@dataclass(frozen=True)
class UnlabelledImages:
    """A folder of images without labels that is ready for a network.

    Attributes:
        folder: The data folder.
        root: Where the rows' paths start.
        rows: The images in the order of the pack, their label UNLABELLED.
        present: Paths of those that are still there and can be read.
        pack: The file of the pack.
        unreadable: Path and reason of each image that cannot be used.
        notes: Sentences about skipped files.
    """

    folder: Path
    root: Path
    rows: tuple[ImageRecord, ...]
    present: frozenset[str]
    pack: Path
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def prepare_unlabelled(
    path: str | Path,
    data: DataSpec,
    levels: Levels | None,
    workspace: Workspace,
    progress: Progress = silent,
) -> UnlabelledImages:
    """Scan and pack the images of a folder; the work of earlier calls is not repeated.

    Images that were packed earlier and have disappeared stay in the pack, so that features of the
    others need not be computed again.

    Args:
        path: The folder as given by the user.
        data: Of the run's spec.
        levels: Of the run's manifest, for images with 16 bits a channel.
        workspace: Where the data folder is.
        progress: As `prepare`.

    Raises:
        UserError: There is no such folder, no image in it can be read, or the disk has a problem.
    """
    source = open_unlabelled(path, progress)
    folder = dataset_folder(workspace, source, progress)
    with disk_errors(folder, tr("What was scanned so far is kept.")), building(folder, progress):
        packing = ScanPack(folder, data) if packs_while_scanning(source, folder, data) else None
        records = scan(source, folder, progress, packing)
        usable = [record for record in records if record.usable]
        unreadable = tuple((one.path, one.problem) for one in records if one.problem is not None)
        if not usable:
            raise UserError(
                tr(
                    "None of the images in {path} can be read: {first}.",
                    path=safe_text(source.path),
                    first=f"{safe_text(unreadable[0][0])}: {safe_text(unreadable[0][1])}",
                )
            )
        rows = _rows(folder, usable, data, levels or FULL)
        pack = build_pack(source.root, rows, data, folder, progress, records)
    present = frozenset(record.path for record in usable)
    return UnlabelledImages(folder, source.root, rows, present, pack, unreadable, source.notes)


def _rows(
    folder: Path, usable: Sequence[ScanRecord], data: DataSpec, levels: Levels
) -> tuple[ImageRecord, ...]:
    """Return the rows of the manifest: the earlier ones where all images are in their pack."""
    made = make_manifest_rows(usable, {record.path: "test" for record in usable})
    rows = tuple(replace(row, levels=levels) if row.levels else row for row in made)
    path = folder / MANIFEST_NAME
    with suppress(UserError):  # there is none, or it is damaged
        earlier = tuple(read_manifest(path))
        shape = (len(earlier), *data.input_shape)
        if set(rows) <= set(earlier) and is_whole(pack_path(folder, earlier, data), shape):
            return earlier
    write_manifest(path, rows)
    return rows
