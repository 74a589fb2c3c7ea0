"""From a source to a pack: open, scan, audit, split, manifest, pack."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from shutil import disk_usage
from statistics import median_low

import numpy as np

from workbench.datasets.audit import AUDIT_NAME, Audit, audit, read_audit, write_audit
from workbench.datasets.duplicates import NearPairs, near_pairs
from workbench.datasets.groups import with_groups
from workbench.datasets.image_files import ImageError, ImageHeader
from workbench.datasets.label_fixes import FixedRecords, apply_label_fixes, read_label_fixes
from workbench.datasets.manifest import (
    MANIFEST_NAME,
    ImageRecord,
    ScanRecord,
    make_manifest_rows,
    manifest_levels,
    write_manifest,
)
from workbench.datasets.names import natural_sorted
from workbench.datasets.pack import build_pack, is_whole, pack_path
from workbench.datasets.scan import scan
from workbench.datasets.scan_pack import ScanPack, read_scan_rows
from workbench.datasets.sources.opening import open_images, open_source
from workbench.datasets.sources.source import LABELS, LAYOUT, NOT_READ, Source
from workbench.datasets.split import assign
from workbench.datasets.store import building, dataset_folder, find_folder, open_in
from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree, recommend
from workbench.experiment.sections import DataSpec
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text

_SAMPLE = 200  # images whose headers `survey` reads


@dataclass(frozen=True)
class PreparedData:
    """Data that is ready to train on.

    Attributes:
        name: Of the data folder.
        folder: data/<name> in the workspace.
        rows: The images in the order of the pack.
        labels: The classes, 2 before 10.
        pack: The file of the pack.
        audit: Of the scan.
        notes: Sentences about label fixes, the split, and skipped files.
    """

    name: str
    folder: Path
    rows: tuple[ImageRecord, ...]
    labels: tuple[str, ...]
    pack: Path
    audit: Audit
    notes: tuple[str, ...]

    def leaks(self) -> dict[str, int]:
        """Count test images that a model has seen in training, as in results.json.

        Returns:
            `leaked`: Test images with the same pixels as a training image; `near_leaked`: others
            that look nearly the same as one. Zeros are left out.
        """
        trained = {row.pixel_hash for row in self.rows if row.split == "train"}
        content = {row.path: row.pixel_hash for row in self.rows}
        seen: set[str] = set()  # similar to a training image
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
        """Return int64, the indices in the pack of the images of a split."""
        return np.array([i for i, row in enumerate(self.rows) if row.split == split], np.int64)


def prepare(data: DataSpec, workspace: Workspace, progress: Progress = silent) -> PreparedData:
    """Prepare the data of a spec; the work of earlier calls is not repeated.

    Args:
        data: Of a spec.
        workspace: Where the data folder is.
        progress: Reports "look through the folder", "look for changes", "scan", "compare", "pack",
            and "wait for another process" while one prepares the same source.

    Raises:
        UserError: The source, its label fixes, the split or the disk has a problem.
    """
    source = open_in(workspace, data.source, progress)
    folder = dataset_folder(workspace, source, progress)
    source = with_groups(source, data.group)
    with _in_folder(folder, progress):
        records, near, found = _scanned(source, folder, progress, data)
        fixed = _fix_labels(data, records)
        assignment = assign(fixed.records, data.split, near)
        rows = make_manifest_rows(fixed.records, assignment.splits)
        write_manifest(folder / MANIFEST_NAME, rows)
        notes = fixed.notes + assignment.notes + _levels_notes(fixed.records, rows)
        notes += _again_notes(folder, rows, data)
        pack = build_pack(source.root, rows, data, folder, progress, records)
    return _prepared(folder, rows, pack, found, notes)


def prepare_from_manifest(
    data: DataSpec, rows: Sequence[ImageRecord], workspace: Workspace, progress: Progress = silent
) -> PreparedData:
    """Prepare the data of a frozen manifest: the same images in the same splits.

    Where the pack still exists, the images themselves are not needed.

    Args:
        data: Of a spec.
        rows: As `read_manifest` returned them, in their order.
        workspace: Where the data folder is.
        progress: As `prepare`.

    Raises:
        UserError: The pack is gone and an image changed or is missing, or as `prepare`.
    """
    folder = find_folder(workspace, Path(data.source).expanduser().absolute())
    pack = pack_path(folder, rows, data) if folder else None
    shape = (len(rows), *data.input_shape)
    if folder and pack and is_whole(pack, shape) and (folder / AUDIT_NAME).exists():
        return _prepared(folder, tuple(rows), pack, read_audit(folder / AUDIT_NAME), ())
    source = open_in(workspace, data.source, progress)
    folder = dataset_folder(workspace, source, progress)
    source = with_groups(source, data.group)
    with _in_folder(folder, progress):
        records, _, found = _scanned(source, folder, progress, data)
        pack = build_pack(source.root, rows, data, folder, progress, records)
    return _prepared(folder, tuple(rows), pack, found, ())


def inspect(
    source: str | Path, workspace: Workspace, progress: Progress = silent, group: str = ""
) -> Audit:
    """Scan and audit a source without preparing it.

    Args:
        source: As given by the user.
        workspace: Where the data folder is.
        progress: As `prepare`.
        group: As `DataSpec.group`.

    Raises:
        UserError: The layout is unknown, the pattern cannot be used, or the disk has a problem.
    """
    found = open_in(workspace, source, progress)
    return inspect_opened(found, workspace, progress, group)[1]


def inspect_opened(
    source: Source, workspace: Workspace, progress: Progress = silent, group: str = ""
) -> tuple[Path, Audit]:
    """Scan and audit an opened source; return its data folder and the audit.

    The scan makes rows of a pack, as the recommended preset would need it.

    Raises:
        UserError: As `inspect`.
    """
    folder = dataset_folder(workspace, source, progress)
    source = with_groups(source, group)
    with _in_folder(folder, progress):
        return folder, _scanned(source, folder, progress, _likely_data(source))[-1]


def survey(source: str | Path, progress: Progress = silent) -> DataFacts:
    """Return the facts that presets need, from the headers of at most 200 images.

    Raises:
        UserError: The layout is unknown, or none of the sampled images can be read.
    """
    return source_facts(open_source(source, progress))


def source_facts(found: Source) -> DataFacts:
    """Return the same of an opened source.

    Raises:
        UserError: None of the sampled images can be read.
    """
    headers = list(_sample_headers(found))
    if not headers:
        raise UserError(
            tr(
                "None of the images sampled in {found_path} can be read.",
                found_path=safe_text(found.path),
            ),
            tr("`workbench data scan` names each file and what is wrong with it."),
        )
    available = Counter(item.label for item in found.items if item.split in (None, "train"))
    heights, widths = [h.height for h in headers], [h.width for h in headers]
    return DataFacts(
        image_size=(median_low(heights), median_low(widths)),
        uniform=len({*zip(heights, widths, strict=True)}) == 1,
        channels=1 if all(header.grey for header in headers) else 3,
        classes=len(found.labels),
        images=len(found.items),
        smallest_class=min(Counter(item.label for item in found.items).values()),
        user_split=found.user_split,
        split_images=Counter(item.split for item in found.items if item.split),
        class_images=tuple(available.values()),
    )


@contextmanager
def _in_folder(folder: Path, progress: Progress) -> Iterator[None]:
    with disk_errors(folder, tr("What was scanned so far is kept.")), building(folder, progress):
        yield


def _scanned(
    source: Source, folder: Path, progress: Progress, data: DataSpec | None
) -> tuple[list[ScanRecord], NearPairs, Audit]:
    """Scan and audit. The audit is written before any of its findings can end the preparation."""
    packing = (
        ScanPack(folder, data) if data and packs_while_scanning(source, folder, data) else None
    )
    records = scan(source, folder, progress, packing)
    near = near_pairs([record for record in records if record.usable], progress)
    found = audit(source, records, near)
    write_audit(folder / AUDIT_NAME, found)
    return records, near, found


def packs_while_scanning(source: Source, folder: Path, data: DataSpec) -> bool:
    """Return whether the scan makes rows: most images are wanted, and they leave half the room."""
    wanted = len(source.items)
    if not source.user_split:
        share = data.split.parts
        wanted = int(sum(share) * (len(source.labels) if data.split.counts else wanted))
    needed = prod(data.input_shape) * len(source.items)
    return 2 * wanted >= len(source.items) and 2 * needed <= disk_usage(folder).free


def _likely_data(source: Source) -> DataSpec | None:
    """Return the settings of the preset that is recommended for a source; None without facts."""
    try:
        facts = source_facts(source)
    except UserError:  # no image can be read; the audit names each
        return None
    tree = preset_tree(recommend(facts).preset, source.kind, facts)  # whose path may not be UTF-8
    return DataSpec.model_validate(tree["data"], strict=False)


def _fix_labels(data: DataSpec, records: list[ScanRecord]) -> FixedRecords:
    """Return the records with the label fixes of a person; the audit is of the original data."""
    if not data.corrections:
        return FixedRecords(records, ())
    return apply_label_fixes(records, read_label_fixes(parse_path(data.corrections)))


def _levels_notes(records: Sequence[ScanRecord], rows: Sequence[ImageRecord]) -> tuple[str, ...]:
    """Return notes on the scaling of images with 16 bits a channel."""
    levels = manifest_levels(rows)
    if levels is None:
        return ()
    used = {row.path for row in rows}
    beyond = sum(
        r.path in used
        and r.levels is not None
        and (r.levels.low < levels.low or r.levels.high > levels.high)
        for r in records
    )
    note = tr(
        "Values of 16 bits from {low:,} to {high:,}, the range of the training "
        "images, become 0 to 255",
        low=levels.low,
        high=levels.high,
    )
    return (
        tr(
            "{note}; {other_images} beyond that clipped.",
            note=note,
            other_images=plural(beyond, "other image"),
        )
        if beyond
        else f"{note}.",
    )


def _again_notes(folder: Path, rows: Sequence[ImageRecord], data: DataSpec) -> tuple[str, ...]:
    """Return a note where all images are decoded again, since the scan made no rows like these."""
    whole = is_whole(pack_path(folder, rows, data), (len(rows), *data.input_shape))
    if whole or read_scan_rows(folder, data) or manifest_levels(rows):
        return ()
    height, width = data.image_size
    size = f"{height} x {width} x {data.channels} ({data.resize}, {data.decode})"
    return (
        tr("The images were decoded again: the scan had not packed them at {size}.", size=size),
    )


def _prepared(
    folder: Path,
    rows: tuple[ImageRecord, ...],
    pack: Path,
    found: Audit,
    notes: tuple[str, ...],
) -> PreparedData:
    shown = ("passed-over", "shortcut", LABELS, LAYOUT, NOT_READ)
    findings = [f for f in found.findings if f.severity == "error" or f.code in shown]
    labels = tuple(natural_sorted({row.label for row in rows}))
    return PreparedData(
        folder.name,
        folder,
        rows,
        labels,
        pack,
        found,
        (*notes, *(f.message for f in findings)),
    )


def _sample_headers(source: Source) -> Iterator[ImageHeader]:
    """Yield headers of images spread over the source, without those that cannot be used."""
    images = open_images(source.root)
    step = max(1, len(source.items) // _SAMPLE)
    for item in source.items[::step][:_SAMPLE]:
        with suppress(ImageError):  # the scan will report it
            yield images.header(item.path)
