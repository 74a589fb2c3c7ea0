"""The audit of a data set: numbers and findings, as `audit.json` keeps them."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median_low
from typing import Any

from workbench.datasets.duplicates import NearPairs
from workbench.datasets.findings import AuditFinding, find_problems
from workbench.datasets.groups import GroupSummary, summarize_groups
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.sources.source import Source, kind_title
from workbench.errors import UserError
from workbench.experiment.sections import SPLITS
from workbench.files import cannot_read, write_atomic
from workbench.messages import tr
from workbench.text import plural, safe_text
from workbench.words import shown

AUDIT_NAME = "audit.json"
UNSPLIT = "all"  # where the data has no split
MAX_CLASSES = 50  # that `Audit.lines` lists one by one
_FORMAT = 1


@dataclass(frozen=True)
class ImageSizes:
    """Pixels of the usable images, upright.

    Attributes:
        width: Smallest, median, largest.
        height: Likewise.
    """

    width: tuple[int, int, int]
    height: tuple[int, int, int]


@dataclass(frozen=True)
class Audit:
    """The findings, with the numbers around them.

    Attributes:
        kind: How the images are laid out.
        images: All that have a label.
        usable: Those that can be decoded.
        counts: Usable images by label and split ("all" where there is no split).
        sizes: None where no image is usable.
        formats: Usable images by file format.
        findings: The most severe first.
        groups: Of the usable images; None where none is declared.
    """

    kind: str
    images: int
    usable: int
    counts: dict[str, dict[str, int]]
    sizes: ImageSizes | None
    formats: dict[str, int]
    findings: tuple[AuditFinding, ...]
    groups: GroupSummary | None = None

    def lines(self, every_class: bool = False) -> list[str]:
        """Return the audit as text, safe for a terminal; of very many classes the first ones."""
        lines = [
            tr(
                "{images} in {classes} ({kind}), {usable:,} usable",
                images=plural(self.images, "image"),
                classes=plural(len(self.counts), "class", "classes"),
                kind=kind_title(self.kind),
                usable=self.usable,
            )
        ]
        listed = len(self.counts) if every_class else MAX_CLASSES
        for label, by_split in islice(self.counts.items(), listed):
            parts = ", ".join(
                f"{count:,}" if split == UNSPLIT else f"{split} {count:,}"
                for split, count in by_split.items()
            )
            lines.append(f"  {safe_text(label, 40)}: {parts or 0}")
        if len(self.counts) > listed:
            lines.append(
                "  "
                + tr(
                    "and {more_classes}",
                    more_classes=plural(len(self.counts) - listed, "more class", "more classes"),
                )
            )
        if self.sizes:
            width, height = self.sizes.width, self.sizes.height
            sizes = [f"{w}x{h}" for w, h in zip(width, height, strict=True)]
            lines.append(
                tr("width x height {sizes}", sizes=sizes[0])
                if len({*sizes}) == 1
                else tr(
                    "widths {width} to {largest_width} (median {median_width}), "
                    "heights {height} to {largest_height} (median {median_height})",
                    width=width[0],
                    largest_width=width[2],
                    median_width=width[1],
                    height=height[0],
                    largest_height=height[2],
                    median_height=height[1],
                )
            )
        lines += self.groups.lines() if self.groups else []
        return lines + [
            f"{shown(finding.severity)}: {finding.message}" for finding in self.findings
        ]

    def near_pairs(self) -> list[tuple[str, str]]:
        """Return the paths of images that look nearly the same."""
        found = (f.groups for f in self.findings if f.code in ("near", "near-across"))
        return [(group[0], group[1]) for groups in found for group in groups if len(group) > 1]

    def to_json(self) -> str:
        """Return text for `from_json`; pure ASCII, names that are not UTF-8 included."""
        return json.dumps({"format": _FORMAT, **vars(self)}, default=vars, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Audit":
        """Read the output of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: It is something else.
        """
        values: dict[str, Any] = json.loads(text)
        if values.pop("format") != _FORMAT:
            raise ValueError("another format")
        findings = tuple(
            AuditFinding(
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
            sizes = ImageSizes(tuple(sizes["width"]), tuple(sizes["height"]))
        groups = values.pop("groups", None)  # older versions had none
        if groups:
            examples = tuple((name, size, tuple(p)) for name, size, p in groups.pop("examples"))
            groups = GroupSummary(**groups, examples=examples)
        return cls(**values, sizes=sizes, findings=findings, groups=groups)


def audit(source: Source, records: Sequence[ScanRecord], near: NearPairs) -> Audit:
    """Audit the records of a scan.

    Args:
        source: What was scanned.
        records: Of its images.
        near: Near duplicates among the records.
    """
    usable = [record for record in records if record.usable]
    counts: dict[str, dict[str, int]] = {label: {} for label in source.labels}
    for split in (UNSPLIT, *SPLITS):
        found = Counter(r.label for r in usable if (r.split or UNSPLIT) == split)
        for label in found:
            counts[label][split] = found[label]
    return Audit(
        kind=source.kind,
        images=len(records),
        usable=len(usable),
        counts=counts,
        sizes=_sizes(usable),
        formats=dict(Counter(record.format for record in usable).most_common()),
        findings=find_problems(source, records, near, counts),
        groups=summarize_groups((record.path, record.group) for record in usable),
    )


def write_audit(path: Path, found: Audit) -> None:
    """Write an audit, whole or not at all."""
    write_atomic(path, found.to_json())


def read_audit(path: Path) -> Audit:
    """Read an audit.

    Raises:
        UserError: The file cannot be read or is damaged.
    """
    try:
        return Audit.from_json(path.read_text(encoding="ascii"))
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            tr("{path} is damaged.", path=safe_text(path)),
            tr("Remove it; the next preparation creates it again."),
        ) from error


def _sizes(usable: list[ScanRecord]) -> ImageSizes | None:
    if not usable:
        return None

    def spread(values: list[int]) -> tuple[int, int, int]:
        return min(values), median_low(values), max(values)

    return ImageSizes(spread([r.width for r in usable]), spread([r.height for r in usable]))
