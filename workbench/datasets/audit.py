"""What a person should know about their images before training on them."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median_low
from typing import Any, Literal

from workbench.datasets.duplicates import MOST_TOGETHER, NearPairs, exact_groups
from workbench.datasets.images import GREY_MODES, MAX_PIXELS
from workbench.datasets.names import SPLITS, examples, naturally
from workbench.datasets.scan import TINY, Record
from workbench.datasets.source import Source
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.text import plural, safe_text

Severity = Literal["error", "warning", "note"]

AUDIT_NAME = "audit.json"
UNSPLIT = "all"  # where the person made no split
IMBALANCE = 3.0  # largest class over smallest from which it is told
FEW = 20  # images of a class below which it is told
MOST_CLASSES = 50  # that `Audit.lines` tells one by one
_FORMAT = 1
_SEVERITIES = ("error", "warning", "note")

# Oddities of files that are used all the same, and what is done about them.
_ODDITIES: dict[str, tuple[Severity, str]] = {
    "cmyk": ("note", "stored in CMYK colours; converted to RGB"),
    "palette": ("note", "stored with a palette; converted to RGB"),
    "alpha": ("note", "partly transparent, or may be; laid over white"),
    "animated": ("note", "animated or with several pages; the first one is used"),
    "exif-rotated": ("note", "turned by their EXIF orientation; used upright"),
    "wrong-ending": (
        "note",
        "of another format than the ending of the name says; read all the same",
    ),
    "reduced": (
        "note",
        f"of more than {MAX_PIXELS // 10**6} million pixels; decoded at a part of their size",
    ),
    "tiny": ("warning", f"smaller than {TINY} pixels on a side"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes:
        code: what kind: unusable, conflicting-labels, duplicates-across, duplicates, near-across,
            near, imbalance, few-images, mixed-colours, passed-over, the code of a Doubt of the
            source, or an oddity of a Record.
        severity: "error" harms the result, "warning" may, "note" is good to know.
        message: one plain sentence.
        files: the paths concerned.
        groups: for duplicates: the paths that belong together, two where they are near.
    """

    code: str
    severity: Severity
    message: str
    files: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Sizes:
    """Pixels of the usable images, upright."""

    width: tuple[int, int, int]  # smallest, median, largest
    height: tuple[int, int, int]


@dataclass(frozen=True)
class Audit:
    """The findings, with the numbers around them.

    Attributes:
        kind: how the images are laid out.
        images: all that have a label; `usable` of them can be decoded.
        counts: usable images by label and split ("all" where there is no split).
        sizes: None where no image is usable.
        formats: usable images by file format.
        findings: the gravest first.
    """

    kind: str
    images: int
    usable: int
    counts: dict[str, dict[str, int]]
    sizes: Sizes | None
    formats: dict[str, int]
    findings: tuple[Finding, ...]

    def lines(self, every_class: bool = False) -> list[str]:
        """The audit for people, safe for a terminal; of very many classes the first ones."""
        lines = [
            f"{plural(self.images, 'image')} in {plural(len(self.counts), 'class', 'classes')} "
            f"({self.kind}), {self.usable:,} usable"
        ]
        shown = len(self.counts) if every_class else MOST_CLASSES
        for label, by_split in islice(self.counts.items(), shown):
            parts = ", ".join(
                f"{count:,}" if split == UNSPLIT else f"{split} {count:,}"
                for split, count in by_split.items()
            )
            lines.append(f"  {safe_text(label, 40)}: {parts or 0}")
        if len(self.counts) > shown:
            lines.append(f"  and {plural(len(self.counts) - shown, 'more class', 'more classes')}")
        if self.sizes:
            width, height = self.sizes.width, self.sizes.height
            sizes = [f"{w}x{h}" for w, h in zip(width, height, strict=True)]
            one_size = len({*sizes}) == 1
            lines.append(
                f"width x height {sizes[0]}"
                if one_size
                else f"widths {width[0]} to {width[2]} (median {width[1]}), "
                f"heights {height[0]} to {height[2]} (median {height[1]})"
            )
        for finding in self.findings:
            lines.append(f"{finding.severity}: {finding.message}")
        return lines

    def near_pairs(self) -> list[tuple[str, str]]:
        """The paths of images that look nearly the same."""
        found = (f.groups for f in self.findings if f.code in ("near", "near-across"))
        return [(group[0], group[1]) for groups in found for group in groups if len(group) > 1]

    def to_json(self) -> str:
        """For `from_json`; pure ASCII, names that are no UTF-8 included."""
        return json.dumps({"format": _FORMAT, **vars(self)}, default=vars, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Audit":
        """Raises ValueError, KeyError or TypeError where it is none."""
        values: dict[str, Any] = json.loads(text)
        if values.pop("format") != _FORMAT:
            raise ValueError("another format")
        findings = tuple(
            Finding(
                **{
                    **found,
                    "files": tuple(found["files"]),
                    "groups": tuple(tuple(group) for group in found["groups"]),
                }
            )
            for found in values.pop("findings")
        )
        sizes = values.pop("sizes")
        if sizes:
            sizes = Sizes(tuple(sizes["width"]), tuple(sizes["height"]))
        return cls(**values, sizes=sizes, findings=findings)


def audit(source: Source, records: Sequence[Record], near: NearPairs) -> Audit:
    """Judges what the scan found.

    Args:
        near: near duplicates among the records.
    """
    usable = [record for record in records if record.usable]
    counts: dict[str, dict[str, int]] = {label: {} for label in source.labels}
    for split in (UNSPLIT, *SPLITS):
        found = Counter(r.label for r in usable if (r.split or UNSPLIT) == split)
        for label in found:
            counts[label][split] = found[label]
    findings = [
        *_unusable(records),
        *(Finding(one.code, "warning", one.message, one.files) for one in source.doubts),
        *_same(usable),
        *_near(near, source.user_split),
        *_balance(counts),
        *_colours(usable),
        *_deep(usable),
        *_oddities(usable),
        *(Finding("passed-over", "note", note) for note in source.notes),
    ]
    return Audit(
        kind=source.kind,
        images=len(records),
        usable=len(usable),
        counts=counts,
        sizes=_sizes(usable),
        formats=dict(Counter(record.format for record in usable).most_common()),
        findings=tuple(sorted(findings, key=lambda f: _SEVERITIES.index(f.severity))),
    )


def write_audit(path: Path, found: Audit) -> None:
    """Writes it whole or not at all."""
    write_atomic(path, found.to_json())


def read_audit(path: Path) -> Audit:
    """Raises UserError where the file cannot be read or is damaged."""
    try:
        return Audit.from_json(path.read_text(encoding="ascii"))
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be read: {reason}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{safe_text(path)} is damaged.", "Remove it; the next preparation makes it anew."
        ) from error


def _unusable(records: Sequence[Record]) -> Iterator[Finding]:
    by_reason = defaultdict(list)
    for record in records:
        if record.problem is not None:
            by_reason[record.problem].append(record.path)
    for reason, paths in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        count = plural(len(paths), "file")
        yield Finding(
            "unusable", "error", f"{count} left out: {reason} ({examples(paths)}).", tuple(paths)
        )


def _same(usable: list[Record]) -> Iterator[Finding]:
    """Exact duplicates, each group told once, under its gravest aspect."""
    groups = exact_groups(usable)
    conflicting = [g for g in groups if _differ(g, lambda r: r.label)]
    rest = [g for g in groups if not _differ(g, lambda r: r.label)]
    across = [g for g in rest if _differ(g, lambda r: r.split)]
    within = [g for g in rest if not _differ(g, lambda r: r.split)]
    yield from _grouped(
        "conflicting-labels", "error", conflicting, "with the same pixels but different labels"
    )
    yield from _grouped(
        "duplicates-across", "error", across, "with the same pixels in more than one split"
    )
    yield from _grouped("duplicates", "warning", within, "with the same pixels")


def _near(near: NearPairs, user_split: bool) -> Iterator[Finding]:
    across = [pair for pair in near.pairs if _differ(pair, lambda r: r.split)]
    within = [pair for pair in near.pairs if not _differ(pair, lambda r: r.split)]
    least = "" if near.complete else "at least "
    kinds: tuple[tuple[str, Severity, list[tuple[Record, Record]], str], ...] = (
        ("near-across", "warning", across, " across splits"),
        ("near", "note", within, ""),
    )
    for code, severity, pairs, where in kinds:
        if pairs:
            groups = _paths_of(pairs)
            count = plural(len(pairs), "pair")
            message = (
                f"{least}{count} of images look nearly the same{where} ({examples(groups[0])})."
            )
            if not user_split:
                message += (
                    f" They are kept on one side of the split, up to {MOST_TOGETHER} together."
                )
            yield Finding(code, severity, message, groups=groups)


def _balance(counts: dict[str, dict[str, int]]) -> Iterator[Finding]:
    totals = {label: sum(by_split.values()) for label, by_split in counts.items()}
    if not totals:
        return
    most, least = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
    if totals[most] > IMBALANCE * totals[least]:
        yield Finding(
            "imbalance",
            "warning",
            f"Classes are unbalanced: {safe_text(most)} has {plural(totals[most], 'image')}, "
            f"{safe_text(least)} {totals[least]:,}.",
        )
    few = naturally(label for label, total in totals.items() if total < FEW)
    if few:
        count = plural(len(few), "class has", "classes have")
        yield Finding("few-images", "warning", f"{count} fewer than {FEW} images: {examples(few)}.")


def _colours(usable: list[Record]) -> Iterator[Finding]:
    grey = tuple(record.path for record in usable if record.mode in GREY_MODES)
    if grey and len(grey) < len(usable):
        count = plural(len(grey), "image is", "images are")
        message = f"{count} grey, the other {len(usable) - len(grey):,} are stored in colour."
        yield Finding("mixed-colours", "note", message, grey)


def _deep(usable: list[Record]) -> Iterator[Finding]:
    """Which values images of 16 bits have, in the training part where there is one already."""
    paths = tuple(record.path for record in usable if "16-bit" in record.notes)
    if not paths:
        return
    verb = "is" if len(paths) == 1 else "are"
    message = (
        f"{plural(len(paths), 'image')} {verb} stored with 16 bits a channel ({examples(paths)})"
    )
    training = [r for r in usable if r.split in (None, "train")] or usable
    ranges = [record.levels for record in training if record.levels]
    if ranges:
        low, high = min(r.low for r in ranges), max(r.high for r in ranges)
        message += (
            f"; their values go from {low:,} to {high:,}, and what the training images among them "
            "have is scaled to 0 to 255, for all images alike"
        )
    else:
        message += "; they hold no more than 8 bits of it"
    yield Finding("16-bit", "note", f"{message}.", paths)


def _oddities(usable: list[Record]) -> Iterator[Finding]:
    for code, (severity, what) in _ODDITIES.items():
        paths = tuple(record.path for record in usable if code in record.notes)
        if paths:
            verb = "is" if len(paths) == 1 else "are"
            yield Finding(
                code,
                severity,
                f"{plural(len(paths), 'image')} {verb} {what} ({examples(paths)}).",
                paths,
            )


def _grouped(
    code: str, severity: Severity, groups: list[tuple[Record, ...]], what: str
) -> Iterator[Finding]:
    if groups:
        paths = _paths_of(groups)
        count = plural(len(paths), "group")
        total = sum(map(len, paths))
        yield Finding(
            code,
            severity,
            f"{count} of images {what}, {total:,} files in all ({examples(paths[0])}).",
            groups=paths,
        )


def _sizes(usable: list[Record]) -> Sizes | None:
    if not usable:
        return None

    def spread(values: list[int]) -> tuple[int, int, int]:
        return min(values), median_low(values), max(values)

    return Sizes(spread([r.width for r in usable]), spread([r.height for r in usable]))


def _differ(group: Sequence[Record], value: Callable[[Record], str | None]) -> bool:
    return len({value(record) for record in group}) > 1


def _paths_of(groups: Sequence[Sequence[Record]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(record.path for record in group) for group in groups)
