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
from workbench.text import percent, plural, safe_text

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


_SEVERITY_TITLES = {"error": tr("error"), "warning": tr("warning"), "note": tr("note")}


def severity_title(severity: str) -> str:
    """Return how severe a finding is in the language of the reader."""
    return _SEVERITY_TITLES.get(severity, safe_text(severity, 8))


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
        message = tr(
            "{files} left out: {reason} ({paths}).",
            files=plural(len(paths), "file"),
            reason=reason,
            paths=format_examples(paths),
        )
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
    kinds: tuple[tuple[str, Severity, str, str], ...] = (
        ("conflicting-labels", "error", " " + tr("but different labels"), _ONE_IS_WRONG),
        ("duplicates-across", "error", " " + tr("in more than one split"), _SEEN_BEFORE),
        ("duplicates", "warning", "", _COUNTED_TWICE),
    )
    for code, severity, aspect, consequence in kinds:
        if by_code[code]:
            paths = _paths_of(by_code[code])
            message = tr(
                "{groups} of images with the same pixels{aspect}, {len:,} files in all ({path}).",
                groups=plural(len(paths), "group"),
                aspect=aspect,
                len=sum(map(len, paths)),
                path=format_examples(paths[0]),
            )
            yield AuditFinding(code, severity, f"{message} {consequence}", groups=paths)


_ONE_IS_WRONG = tr("All labels but one are wrong: move the file to its class, or delete it.")
_SEEN_BEFORE = tr("The test has images that were trained on: delete them from one of the parts.")
_COUNTED_TWICE = tr(
    "They count as several images but stay on one side of a split; delete the copies."
)


def _near_duplicates(near: NearPairs, user_split: bool) -> Iterator[AuditFinding]:
    across = [pair for pair in near.pairs if _differ(pair, lambda r: r.split)]
    within = [pair for pair in near.pairs if not _differ(pair, lambda r: r.split)]
    kinds: tuple[tuple[str, Severity, list[tuple[ScanRecord, ScanRecord]], str], ...] = (
        ("near-across", "warning", across, " " + tr("across splits")),
        ("near", "note", within, ""),
    )
    for code, severity, pairs, where in kinds:
        if pairs:
            groups = _paths_of(pairs)
            message = tr(
                "{pairs} of images look nearly the same{where} ({examples}).",
                pairs=plural(len(pairs), "pair"),
                where=where,
                examples=format_examples(groups[0]),
            )
            if not near.complete:
                message = tr("at least {message}", message=message)
            if not user_split:
                message += " " + tr(
                    "They are kept on one side of the split, up to {max_group} together.",
                    max_group=MAX_GROUP,
                )
            yield AuditFinding(code, severity, message, groups=groups)


def _groups(usable: list[ScanRecord], user_split: bool) -> Iterator[AuditFinding]:
    """Report groups that the data's own split has on two sides, or that file names suggest."""
    if not any(record.group for record in usable):
        if found := suggest_groups(usable):
            yield AuditFinding("likely-groups", "warning", found.message(user_split))
        if bursts := find_bursts(usable):
            paths = _paths_of(bursts)
            message = tr(
                "{len:,} images are {bursts}: of one class, by one camera, at most "
                "{max_pause:g} seconds apart ({path}). A split has images of one burst on "
                "two sides; a CSV file with a column group keeps them together.",
                len=sum(map(len, paths)),
                bursts=plural(len(paths), "burst"),
                max_pause=MAX_PAUSE,
                path=format_examples(paths[0]),
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
        message = tr(
            "{groups} of images in more than one split, {len:,} files in all ({natural_sorted}).",
            groups=plural(len(across), "group"),
            len=sum(map(len, paths)),
            natural_sorted=format_examples(natural_sorted(across)),
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
        message = tr(
            "{count} fewer than {few_images} images: {few}.",
            count=count,
            few_images=FEW_IMAGES,
            few=format_examples(few),
        )
        yield AuditFinding("few-images", "warning", message)


def _colours(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    grey = tuple(record.path for record in usable if record.mode in GREY_MODES)
    if grey and len(grey) < len(usable):
        count = plural(len(grey), "image is", "images are")
        message = tr(
            "{count} grey, the other {usable:,} are stored in colour.",
            count=count,
            usable=len(usable) - len(grey),
        )
        yield AuditFinding("mixed-colours", "note", message, grey)


def _sixteen_bits(usable: list[ScanRecord]) -> Iterator[AuditFinding]:
    """Report the range of values, of the training part where there already is one."""
    paths = _with_note(usable, "16-bit")
    if not paths:
        return
    message = tr(
        "{images_are} stored with 16 bits a channel ({paths})",
        images_are=plural(len(paths), "image is", "images are"),
        paths=format_examples(paths),
    )
    training = [r for r in usable if r.split in (None, "train")] or usable
    ranges = [record.levels for record in training if record.levels]
    if ranges:
        low, high = min(r.low for r in ranges), max(r.high for r in ranges)
        message += tr(
            "; their values go from {low:,} to {high:,}, and the range of the training "
            "images among them is scaled to 0 to 255, for all images alike",
            low=low,
            high=high,
        )
    else:
        message += tr("; they use no more than 8 bits of it")
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
            number = tr("all") if of_class == len(some) else f"{of_class:,}"
            message += tr(
                "; {number} of them are of the class {label}", number=number, label=safe_text(label)
            )
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
            names = ", ".join(f"{one.name} ({percent(one.accuracy)})" for one in others)
            message += " " + tr("So do {names}.", names=names)
        yield AuditFinding("shortcut", "warning", f"{message} {_ALIKE}")


_ALIKE = tr(
    "A model may learn this instead of what is shown; save the images of all classes alike."
)


def _describe_shortcut(one: Shortcut) -> str:
    label = safe_text(one.label)
    return tr(
        "{upper}{one} alone separates {label} from the other classes with {accuracy} "
        "accuracy (guessing: 50 %): {share} of the images with {one_2} "
        "{one_value} are {label}.",
        upper=one.name[0].upper(),
        one=one.name[1:],
        label=label,
        accuracy=percent(one.accuracy),
        share=percent(one.share),
        one_2=one.name,
        one_value=safe_text(one.value),
    )


def _describe_scaling(one: Shortcut) -> str:
    label = safe_text(one.label)
    gap = one.factor / (one.factor - 1)
    return tr(
        "The brightness of {label} was changed by computation: in its histograms "
        "one value in {gap:.0f} is rarer or more frequent than others, as "
        "brightness times {factor:.2g} or {factor_2:.2g} leaves them; this alone "
        "separates {label} from the other classes with {accuracy} accuracy (guessing: 50 %).",
        label=label,
        gap=gap,
        factor=one.factor,
        factor_2=1 / (2 - 1 / one.factor),
        accuracy=percent(one.accuracy),
    )


def _with_note(usable: list[ScanRecord], note: str) -> tuple[str, ...]:
    return tuple(record.path for record in usable if note in record.notes)


def _differ(group: Group, value: Callable[[ScanRecord], str | None]) -> bool:
    return len({value(record) for record in group}) > 1


def _paths_of(groups: Sequence[Group]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(record.path for record in group) for group in groups)
