"""Check the records of a scan: unusable files, duplicates, imbalance, oddities, shortcuts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.datasets.duplicates import MAX_GROUP, NearPairs, exact_groups
from workbench.datasets.groups import NO_EFFECT
from workbench.datasets.image_files import GREY_MODES, MAX_PIXELS
from workbench.datasets.likely_groups import MAX_PAUSE, find_bursts, suggest_groups
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.names import format_examples, natural_sorted
from workbench.datasets.quality import find_odd_images, uneven_class
from workbench.datasets.scan import TINY
from workbench.datasets.shortcuts import BRIGHTNESS, Shortcut, find_shortcuts
from workbench.datasets.sources.source import Source
from workbench.messages import tr
from workbench.text import plural, safe_text

Severity = Literal["error", "warning", "note"]

IMBALANCE = 3.0  # largest class over smallest above which it is reported
FEW_IMAGES = 20  # images of a class below which it is reported
_SEVERITIES = ("error", "warning", "note")

# Oddities of files that are used all the same, and how they are handled.
_ODDITIES: dict[str, tuple[Severity, str]] = {
    "cmyk": ("note", tr("stored in CMYK colours; converted to RGB")),
    "palette": ("note", tr("stored with a palette; converted to RGB")),
    "alpha": ("note", tr("partly transparent, or may be; laid over white")),
    "animated": ("note", tr("animated or with several pages; the first one is used")),
    "exif-rotated": ("note", tr("turned by their EXIF orientation; used upright")),
    "wrong-ending": ("note", tr("of another format than the name's extension; read all the same")),
    "reduced": (
        "note",
        tr(
            "of more than {max_pixels} million pixels; decoded at reduced size",
            max_pixels=MAX_PIXELS // 10**6,
        ),
    ),
    "tiny": ("warning", tr("smaller than {tiny} pixels on a side", tiny=TINY)),
}

# What `quality.find_odd_images` finds, after "12 images are".
_ODD_IMAGES = {
    "nearly-empty": tr("nearly empty: almost all pixels have few values"),
    "dark": tr("dark: hardly a pixel is brighter than a third of white"),
    "overexposed": tr("overexposed: nearly all pixels are white"),
    "blurred": tr("blurred, compared with the others"),
    "odd-shape": tr("very long or high; resizing may distort them"),
}

Group = Sequence[ScanRecord]


@dataclass(frozen=True)
class AuditFinding:
    """One finding of the audit.

    Attributes:
        code: unusable, conflicting-labels, duplicates-across, duplicates, near-across, near,
            groups, groups-across, likely-groups, bursts, imbalance, few-images, mixed-colours,
            shortcut, dark, overexposed, nearly-empty, blurred, odd-shape, passed-over, the code of
            a SourceWarning, or an oddity of a ScanRecord.
        severity: "error" harms the result, "warning" may, "note" is good to know.
        message: One plain sentence.
        files: The paths concerned.
        groups: For duplicates and groups: the paths that belong together, two where they are near.
    """

    code: str
    severity: Severity
    message: str
    files: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()


def find_problems(
    source: Source,
    records: Sequence[ScanRecord],
    near: NearPairs,
    counts: dict[str, dict[str, int]],
) -> tuple[AuditFinding, ...]:
    """Return all findings, the most severe first.

    Args:
        source: For its notes and warnings.
        records: Of its images.
        near: Near duplicates among the records.
        counts: Usable images by label and split.
    """
    usable = [record for record in records if record.usable]
    findings = [
        *_unusable(records),
        *(AuditFinding(one.code, "warning", one.message, one.files) for one in source.warnings),
        *_exact_duplicates(usable),
        *_near_duplicates(near, source.user_split),
        *_groups(usable, source.user_split),
        *_balance(counts),
        *_shortcuts(usable),
        *_colours(usable),
        *_sixteen_bits(usable),
        *_oddities(usable),
        *_odd_images(usable),
        *(AuditFinding("passed-over", "note", note) for note in source.notes),
    ]
    return tuple(sorted(findings, key=lambda f: _SEVERITIES.index(f.severity)))


def _unusable(records: Sequence[ScanRecord]) -> Iterator[AuditFinding]:
    by_reason = defaultdict(list)
    for record in records:
        if record.problem is not None:
            by_reason[record.problem].append(record.path)
    for reason, paths in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        message = f"{plural(len(paths), 'file')} left out: {reason} ({format_examples(paths)})."
        yield AuditFinding("unusable", "error", message, tuple(paths))


def _exact_duplicates(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    """Report each group once, under its most severe aspect."""
    by_code = defaultdict(list)
    for group in exact_groups(usable):
        if _differ(group, lambda r: r.label):
            by_code["conflicting-labels"].append(group)
        elif _differ(group, lambda r: r.split):
            by_code["duplicates-across"].append(group)
        else:
            by_code["duplicates"].append(group)
    kinds: tuple[tuple[str, Severity, str], ...] = (
        ("conflicting-labels", "error", " but different labels"),
        ("duplicates-across", "error", " in more than one split"),
        ("duplicates", "warning", ""),
    )
    for code, severity, aspect in kinds:
        if by_code[code]:
            paths = _paths_of(by_code[code])
            message = (
                f"{plural(len(paths), 'group')} of images with the same pixels{aspect}, "
                f"{sum(map(len, paths)):,} files in all ({format_examples(paths[0])})."
            )
            yield AuditFinding(code, severity, message, groups=paths)


def _near_duplicates(near: NearPairs, user_split: bool) -> Iterator[AuditFinding]:
    across = [pair for pair in near.pairs if _differ(pair, lambda r: r.split)]
    within = [pair for pair in near.pairs if not _differ(pair, lambda r: r.split)]
    kinds: tuple[tuple[str, Severity, list[tuple[ScanRecord, ScanRecord]], str], ...] = (
        ("near-across", "warning", across, " across splits"),
        ("near", "note", within, ""),
    )
    for code, severity, pairs, where in kinds:
        if pairs:
            groups = _paths_of(pairs)
            message = (
                f"{'' if near.complete else 'at least '}{plural(len(pairs), 'pair')} of images "
                f"look nearly the same{where} ({format_examples(groups[0])})."
            )
            if not user_split:
                message += f" They are kept on one side of the split, up to {MAX_GROUP} together."
            yield AuditFinding(code, severity, message, groups=groups)


def _groups(usable: list[ScanRecord], user_split: bool) -> Iterator[AuditFinding]:
    """Report groups that the data's own split has on two sides, or that file names suggest."""
    if not any(record.group for record in usable):
        if found := suggest_groups(usable):
            yield AuditFinding("likely-groups", "warning", found.message(user_split))
        if bursts := find_bursts(usable):
            paths = _paths_of(bursts)
            message = (
                f"{sum(map(len, paths)):,} images are {plural(len(paths), 'burst')}: of one class, "
                f"by one camera, at most {MAX_PAUSE:g} seconds apart "
                f"({format_examples(paths[0])}). A split has images of one burst on two sides; "
                "a CSV file with a column group keeps them together."
            )
            yield AuditFinding("bursts", "warning", message, groups=paths)
        return
    by_name: dict[str, list[ScanRecord]] = defaultdict(list)
    for record in usable:
        if record.group:
            by_name[record.group].append(record)
    if len(by_name) > 1 and all(len(group) == 1 for group in by_name.values()):
        yield AuditFinding("groups", "warning", NO_EFFECT)
    if across := {name: g for name, g in by_name.items() if _differ(g, lambda r: r.split)}:
        paths = _paths_of(list(across.values()))
        message = (
            f"{plural(len(across), 'group')} of images in more than one split, "
            f"{sum(map(len, paths)):,} files in all ({format_examples(natural_sorted(across))})."
        )
        yield AuditFinding("groups-across", "error", message, groups=paths)


def _balance(counts: dict[str, dict[str, int]]) -> Iterator[AuditFinding]:
    totals = {label: sum(by_split.values()) for label, by_split in counts.items()}
    if not totals:
        return
    most, least = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
    if totals[most] > IMBALANCE * totals[least]:
        message = tr(
            "Classes are unbalanced: {most} has {images}, {least} {total:,}.",
            most=safe_text(most),
            images=plural(totals[most], "image"),
            least=safe_text(least),
            total=totals[least],
        )
        yield AuditFinding("imbalance", "warning", message)
    if few := natural_sorted(label for label, total in totals.items() if total < FEW_IMAGES):
        count = plural(len(few), "class has", "classes have")
        message = f"{count} fewer than {FEW_IMAGES} images: {format_examples(few)}."
        yield AuditFinding("few-images", "warning", message)


def _colours(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    grey = tuple(record.path for record in usable if record.mode in GREY_MODES)
    if grey and len(grey) < len(usable):
        count = plural(len(grey), "image is", "images are")
        message = f"{count} grey, the other {len(usable) - len(grey):,} are stored in colour."
        yield AuditFinding("mixed-colours", "note", message, grey)


def _sixteen_bits(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    """Report the range of values, of the training part where there already is one."""
    paths = _with_note(usable, "16-bit")
    if not paths:
        return
    message = (
        f"{plural(len(paths), 'image is', 'images are')} stored with 16 bits a channel "
        f"({format_examples(paths)})"
    )
    training = [r for r in usable if r.split in (None, "train")] or usable
    ranges = [record.levels for record in training if record.levels]
    if ranges:
        low, high = min(r.low for r in ranges), max(r.high for r in ranges)
        message += (
            f"; their values go from {low:,} to {high:,}, and the range of the training images "
            "among them is scaled to 0 to 255, for all images alike"
        )
    else:
        message += "; they use no more than 8 bits of it"
    yield AuditFinding("16-bit", "note", f"{message}.", paths)


def _oddities(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    for code, (severity, what) in _ODDITIES.items():
        if paths := _with_note(usable, code):
            count = plural(len(paths), "image is", "images are")
            yield AuditFinding(code, severity, f"{count} {what} ({format_examples(paths)}).", paths)


def _odd_images(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    for code, some in find_odd_images(usable).items():
        paths = tuple(record.path for record in some)
        count = plural(len(paths), "image is", "images are")
        message = f"{count} {_ODD_IMAGES[code]} ({format_examples(paths)})"
        label, of_class = uneven_class(some, usable)
        if label:
            number = "all" if of_class == len(some) else f"{of_class:,}"
            message += f"; {number} of them are of the class {safe_text(label)}"
        yield AuditFinding(code, "note", f"{message}.", paths)


def _shortcuts(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    """Report the best property of each class, with the names of others; brightness for itself."""
    found = find_shortcuts(usable)
    two_classes = len({record.label for record in usable}) == 2
    groups = defaultdict(list)
    for one in found:
        groups["" if two_classes else one.label, one.name == BRIGHTNESS].append(one)
    for (_, brightness), (best, *others) in groups.items():
        message = _describe_scaling(best) if brightness else _describe_shortcut(best)
        if others and not brightness:
            names = ", ".join(f"{one.name} ({one.accuracy:.0%})" for one in others)
            message += f" So do {names}."
        yield AuditFinding("shortcut", "warning", f"{message} {_ALIKE}")


_ALIKE = tr(
    "A model may learn this instead of what is shown; save the images of all classes alike."
)


def _describe_shortcut(one: Shortcut) -> str:
    label = safe_text(one.label)
    return (
        f"{one.name[0].upper()}{one.name[1:]} alone tells {label} from the rest with "
        f"{one.accuracy:.0%} accuracy (guessing: 50%): {one.share:.0%} of the images with "
        f"{one.name} {safe_text(one.value)} are {label}."
    )


def _describe_scaling(one: Shortcut) -> str:
    label = safe_text(one.label)
    gap = one.factor / (one.factor - 1)
    return (
        f"The brightness of {label} was changed by computation: in its histograms one value in "
        f"{gap:.0f} is rarer or more frequent than others, as brightness times {one.factor:.2g} or "
        f"{1 / (2 - 1 / one.factor):.2g} leaves them; this alone tells {label} from the rest with "
        f"{one.accuracy:.0%} accuracy (guessing: 50%)."
    )


def _with_note(usable: list[ScanRecord], note: str) -> tuple[str, ...]:
    return tuple(record.path for record in usable if note in record.notes)


def _differ(group: Group, value: Callable[[ScanRecord], str | None]) -> bool:
    return len({value(record) for record in group}) > 1


def _paths_of(groups: Sequence[Group]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(record.path for record in group) for group in groups)
