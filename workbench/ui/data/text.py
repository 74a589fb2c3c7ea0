"""What the data screen says: classes, findings, the split, in `Text` made of plain values."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.text import Text

from workbench.datasets.audit import UNSPLIT, Audit, Finding
from workbench.experiment.facts import SPLITS, DataFacts, expected_images
from workbench.experiment.sections import SplitSpec
from workbench.render.marks import bar
from workbench.text import plural, safe_text
from workbench.ui.data.image_steps import Look

SPLIT_KEYS = tuple(f"data.split.{part}" for part in SPLITS)
COLORS = {"error": "$error", "warning": "$warning", "note": "$secondary"}
_STEP, _WHAT = 8, 18  # cells of a step's name and of what is there afterwards
_SHORT = {"train": "train", "validation": "val", "test": "test", UNSPLIT: "images"}


def summary(audit: Audit, facts: DataFacts) -> Text:
    """The whole set in a line."""
    text = Text(
        f"{plural(audit.images, 'image')} in {plural(len(audit.counts), 'class', 'classes')}"
    )
    text.append(f" ({safe_text(audit.kind)})")
    if audit.usable != audit.images:
        text.append(f", {audit.usable:,} usable")
    if audit.sizes:
        height, width = audit.sizes.height[1], audit.sizes.width[1]
        one = audit.sizes.height[0] == audit.sizes.height[2] and (
            audit.sizes.width[0] == audit.sizes.width[2]
        )
        text.append(f"   {'all' if one else 'median'} {height} high x {width} wide")
    text.append("   grey" if facts.channels == 1 else "   colour")
    formats = ", ".join(safe_text(name, 8) for name in list(audit.formats)[:3])
    return text.append(f"   {formats}" if formats else "")


def class_columns(audit: Audit) -> tuple[str, ...]:
    """The titles of the class table."""
    return ("class", *(_SHORT[split] for split in _splits(audit)), "")


def class_rows(
    audit: Audit, most: int, name_width: int, bar_width: int, utf8: bool
) -> Iterator[list[Text]]:
    """The first classes: name, images (of each split), a bar of their share of the largest."""
    largest = max((sum(by_split.values()) for by_split in audit.counts.values()), default=0)
    splits = _splits(audit)
    for label, own in islice(audit.counts.items(), most):
        yield [
            Text(safe_text(label, name_width)),
            *(Text(f"{own.get(split, 0):,}", justify="right") for split in splits),
            Text(bar(sum(own.values()) / max(largest, 1), bar_width, utf8)),
        ]


def _splits(audit: Audit) -> list[str]:
    """The parts that have images, "all" where there is none."""
    splits = [s for s in (UNSPLIT, *SPLITS) if any(s in by for by in audit.counts.values())]
    return splits or [UNSPLIT]


def finding_lines(finding: Finding, most: int) -> tuple[list[Text], int]:
    """The files of a finding, a group a line; and how many lines were left out."""
    groups: Sequence[tuple[str, ...]] = finding.groups or tuple((f,) for f in finding.files)
    lines = [Text("   ".join(safe_text(file, 120) for file in group)) for group in groups[:most]]
    return lines, max(len(groups) - most, 0)


def steps_text(look: Look, network: str) -> Text:
    """The way of one image into a network, a step a line.

    Args:
        network: whose size the images get, such as "a pretrained base".
    """
    text = Text("", style="dim")
    text.append(safe_text(look.path.name, 18), style="not dim")
    text.append(f" for {network}")
    for step in look.steps:
        text.append(f"\n{step.name:<{_STEP}} ", style="bold not dim")
        what = safe_text(step.what, 60)
        line = f"{what:<{_WHAT}} {step.values}" if step.values else what
        text.append(line, style="not dim")
    return text


# The split


def split_in_words(split: SplitSpec) -> str:
    """As it is typed: "0.7 0.15 0.15"."""
    return " ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in split.parts)


def parse_split(typed: str) -> tuple[dict[str, Any], str]:
    """Settings of the split from three numbers, and what is wrong with them ("" for nothing)."""
    words = typed.replace(",", " ").split()
    if len(words) != len(SPLITS):
        return {}, "three numbers: train, validation, test"
    values: list[float | int] = []
    for word in words:
        try:
            values.append(int(word) if word.lstrip("+-").isdecimal() else float(word))
        except ValueError:
            return {}, f"{safe_text(word, 12)} is no number"
    if any(isinstance(value, float) for value in values):  # 0 and 1 beside 0.7 are fractions too
        values = [float(value) for value in values]
    return dict(zip(SPLIT_KEYS, values, strict=True)), ""


def split_fault(facts: DataFacts, split: SplitSpec) -> str:
    """Why the images cannot be shared out like this; "" where they can."""
    wanted = sum(int(part) for part in split.parts) if split.counts else 0
    if not facts.user_split and wanted > facts.smallest_class:
        return f"{wanted:,} a class wanted, the rarest class has {facts.smallest_class:,}"
    return ""


def split_result(facts: DataFacts, split: SplitSpec) -> Text:
    """How many images each part will have."""
    images = expected_images(facts, split)
    text = Text()
    for number, part in enumerate(SPLITS):
        text.append("   " if number else "")
        text.append(f"{part} ", style="dim")
        text.append(f"{images[part]:,}")
    return text


def refusal_of(source: Path) -> str:
    """Why a path cannot be kept in a spec; "" where it can."""
    try:
        str(source).encode()
    except UnicodeEncodeError:
        return (
            "This path holds bytes that are no UTF-8, which the file of an experiment cannot "
            "hold. Rename the folder, or make a symbolic link to it."
        )
    return ""


def missing(source: Path) -> str:
    """That there is nothing of this path; "" where there is, or where the scan has to tell."""
    try:
        there = source.exists()
    except OSError:
        return ""
    except ValueError:  # what no path can be
        there = False
    return "" if there else f"There is no file or folder {safe_text(source, 200)}."
