"""From a source to a pack: recognise, scan, audit, split, manifest, pack."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

import numpy as np

from workbench.datasets.audit import AUDIT_NAME, Audit, audit, read_audit, write_audit
from workbench.datasets.duplicates import NearPairs, near_pairs
from workbench.datasets.images import ImageError, open_image
from workbench.datasets.inner_folders import LAYOUT
from workbench.datasets.label_fixes import Corrected, apply_corrections, read_corrections
from workbench.datasets.layout import LABELS, recognise
from workbench.datasets.listing import NOT_READ
from workbench.datasets.manifest import MANIFEST_NAME, Row, levels_of, make_rows, write_manifest
from workbench.datasets.names import naturally
from workbench.datasets.npz_source import NpzImages
from workbench.datasets.pack import build_pack, is_whole, pack_path
from workbench.datasets.scan import Record, scan
from workbench.datasets.source import Item, Source
from workbench.datasets.split import assign
from workbench.datasets.store import building, dataset_folder, find_folder, source_root
from workbench.downloads.folders import disk_faults
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace, given_path
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text

_SAMPLE = 200  # images whose headers `survey` reads


@dataclass(frozen=True)
class Prepared:
    """Data that is ready to train on.

    Attributes:
        name: of the data folder.
        folder: data/<name> in the workspace.
        source_root: where the rows' paths start: a folder, or an npz file.
        rows: the images in the order of the pack.
        labels: the classes, 2 before 10.
        pack: the file of the pack.
        audit: what the scan found.
        notes: sentences about corrections, the split, and what was passed over.
    """

    name: str
    folder: Path
    source_root: Path
    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    pack: Path
    audit: Audit
    notes: tuple[str, ...]

    def leaks(self) -> dict[str, int]:
        """How many test images a model has seen in training, as results.json has it.

        Returns:
            `leaked`: test images with the same pixels as a training image; `near_leaked`: others
            that look nearly the same as one. What is 0 is left out.
        """
        trained = {row.pixel_hash for row in self.rows if row.split == "train"}
        content = {row.path: row.pixel_hash for row in self.rows}
        seen: set[str] = set()  # what a training image looks nearly like
        for pair in self.audit.near_pairs():
            one, other = (content.get(path, "") for path in pair)
            seen |= ({other} if one in trained else set()) | ({one} if other in trained else set())
        nearly = seen - trained
        tested = [row.pixel_hash for row in self.rows if row.split == "test"]
        counts = {
            "leaked": sum(content in trained for content in tested),
            "near_leaked": sum(content in nearly for content in tested),
        }
        return {name: count for name, count in counts.items() if count}

    def indices(self, split: str) -> np.ndarray:
        """int64: the places in the pack of the images of "train", "validation" or "test"."""
        return np.array([i for i, row in enumerate(self.rows) if row.split == split], np.int64)


def prepare(data: DataSpec, workspace: Workspace, progress: Progress = silent) -> Prepared:
    """Makes the data of a spec ready; what an earlier call did is not done again.

    Args:
        progress: told "look through the folder", "look for changes", "scan", "compare", "pack",
            and "wait for another process" while one prepares the same source.

    Raises:
        UserError: whatever is wrong with the source, its corrections, the split or the disk.
    """
    source = recognise(data.source, progress)
    folder = dataset_folder(workspace, source, progress)
    with _in_folder(folder, progress):
        records, near, found = _scanned(source, folder, progress)
        corrected = _corrected(data, records)
        assignment = assign(corrected.records, data.split, near)
        rows = make_rows(corrected.records, assignment.splits)
        write_manifest(folder / MANIFEST_NAME, rows)
        pack = build_pack(source.root, rows, data, folder, progress, records)
    notes = corrected.notes + assignment.notes + _levels_notes(corrected.records, rows)
    return _prepared(folder, source.root, rows, pack, found, notes)


def prepare_again(
    data: DataSpec, rows: Sequence[Row], workspace: Workspace, progress: Progress = silent
) -> Prepared:
    """Makes the data of a frozen manifest ready: the same images in the same splits.

    Where the pack is still there, the images themselves are not needed.

    Args:
        rows: as `read_manifest` gave them, in their order.

    Raises:
        UserError: the pack is gone and an image changed or went away, or as `prepare`.
    """
    folder = find_folder(workspace, Path(data.source).expanduser().absolute())
    pack = pack_path(folder, rows, data) if folder else None
    shape = (len(rows), *data.input_shape)
    if folder and pack and is_whole(pack, shape) and (folder / AUDIT_NAME).exists():
        root = source_root(folder)
        return _prepared(folder, root, tuple(rows), pack, read_audit(folder / AUDIT_NAME), ())
    source = recognise(data.source, progress)
    folder = dataset_folder(workspace, source, progress)
    with _in_folder(folder, progress):
        records, _, found = _scanned(source, folder, progress)
        pack = build_pack(source.root, rows, data, folder, progress, records)
    return _prepared(folder, source.root, tuple(rows), pack, found, ())


def inspect(source: str | Path, workspace: Workspace, progress: Progress = silent) -> Audit:
    """Scans and audits a source without preparing it.

    Raises:
        UserError: no known layout, or the disk.
    """
    found = recognise(source, progress)
    folder = dataset_folder(workspace, found, progress)
    with _in_folder(folder, progress):
        return _scanned(found, folder, progress)[-1]


def survey(source: str | Path, progress: Progress = silent) -> DataFacts:
    """A quick look at a source, for presets: the headers of at most 200 images.

    Raises:
        UserError: no known layout, or none of the sampled images can be read.
    """
    return facts_of(recognise(source, progress))


def facts_of(found: Source) -> DataFacts:
    """The same of a source that was recognised already.

    Raises:
        UserError: none of the sampled images can be read.
    """
    seen = list(_sample_headers(found))
    if not seen:
        raise UserError(
            f"None of the images sampled in {safe_text(found.path)} can be read.",
            "`workbench data scan` names each file and what is wrong with it.",
        )
    to_share = Counter(item.label for item in found.items if item.split in (None, "train"))
    heights, widths = [height for height, _, _ in seen], [width for _, width, _ in seen]
    return DataFacts(
        image_size=(median_low(heights), median_low(widths)),
        uniform=len({*zip(heights, widths, strict=True)}) == 1,
        channels=1 if all(grey for _, _, grey in seen) else 3,
        classes=len(found.labels),
        images=len(found.items),
        smallest_class=min(Counter(item.label for item in found.items).values()),
        user_split=found.user_split,
        split_images=Counter(item.split for item in found.items if item.split),
        class_images=tuple(to_share.values()),
    )


@contextmanager
def _in_folder(folder: Path, progress: Progress) -> Iterator[None]:
    with disk_faults(folder, "What was scanned so far is kept."), building(folder, progress):
        yield


def _scanned(
    source: Source, folder: Path, progress: Progress
) -> tuple[list[Record], NearPairs, Audit]:
    """Scans and audits. The audit is kept before anything can fail for what it says."""
    records = scan(source, folder, progress)
    near = near_pairs([record for record in records if record.usable], progress)
    found = audit(source, records, near)
    write_audit(folder / AUDIT_NAME, found)
    return records, near, found


def _corrected(data: DataSpec, records: list[Record]) -> Corrected:
    """The records as a person has set them right; the audit is of what was found."""
    if not data.corrections:
        return Corrected(records, ())
    return apply_corrections(records, read_corrections(given_path(data.corrections)))


def _levels_notes(records: Sequence[Record], rows: Sequence[Row]) -> tuple[str, ...]:
    """What became of images with 16 bits a channel."""
    levels = levels_of(rows)
    if levels is None:
        return ()
    used = {row.path for row in rows}
    beyond = sum(
        r.path in used
        and r.levels is not None
        and (r.levels.low < levels.low or r.levels.high > levels.high)
        for r in records
    )
    note = (
        f"Values of 16 bits from {levels.low:,} to {levels.high:,}, as the training images have "
        "them, become 0 to 255"
    )
    return (
        f"{note}; {plural(beyond, 'other image')} beyond that clipped." if beyond else f"{note}.",
    )


def _prepared(
    folder: Path,
    root: Path,
    rows: tuple[Row, ...],
    pack: Path,
    found: Audit,
    notes: tuple[str, ...],
) -> Prepared:
    told = ("passed-over", LABELS, LAYOUT, NOT_READ)
    passed = tuple(f.message for f in found.findings if f.severity == "error" or f.code in told)
    labels = tuple(naturally({row.label for row in rows}))
    return Prepared(folder.name, folder, root, rows, labels, pack, found, notes + passed)


def _sample_headers(source: Source) -> Iterator[tuple[int, int, bool]]:
    """Height, width, and whether it is grey, of images spread over the source."""
    items = _spread(source.items)
    if source.kind == "npz":
        images = NpzImages(source.root)
        for item in items:
            array = images.array(item.path)
            yield array.shape[0], array.shape[1], array.ndim == 2
        return
    for item in items:
        try:
            with open_image(source.root / item.path) as (_, header):
                yield header.height, header.width, header.grey
        except ImageError:
            continue  # the scan will name it


def _spread(items: tuple[Item, ...]) -> list[Item]:
    step = max(1, len(items) // _SAMPLE)
    return list(items[::step][:_SAMPLE])
