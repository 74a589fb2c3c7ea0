"""Groups that file names and EXIF suggest, where nobody has declared any."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.names import format_examples, natural_sorted
from workbench.experiment.group_pattern import find_group
from workbench.messages import tr
from workbench.text import plural

# What a pattern has to yield, where the images of a group in two classes count as two groups.
# Ordinary names yield one group for each image (IMG_1234, hashes), or one for each class (cat.1).
MIN_MATCHED = 0.9  # share of the images
MIN_IMAGES = 2  # a group on average
MIN_SEVERAL = 0.5  # share of the groups that have several images
MIN_GROUPS = 4  # a class on average

# A folder inside the class folder; a number before a part: patient_012_03, IMG_0012_crop3,
# 10_left; a name before a number: alice_01. Each is what a person gives as --group.
_FOLDER = re.compile(r"(?P<group>[^/]+)/[^/]+$")
_PATTERNS = (
    _FOLDER,
    re.compile(r"(?P<group>[^/]*\d)[_.-][A-Za-z]*[_.-]?\d*\.\w+$"),
    re.compile(r"(?P<group>[^/]*[A-Za-z])[_.-]?\d+\.\w+$"),
)
# Cameras and telephones name all images by the date.
_DATE = re.compile(r"(?<!\d)(19|20)\d\d[-_.]?[01]\d")
MAX_PAUSE = 3.0  # seconds between two images of one burst
_MAX_SHARD = 3  # characters of folders that only divide many files: ab/abcdef.jpg


@dataclass(frozen=True)
class SuggestedGroups:
    """Groups that a pattern finds in the names.

    Attributes:
        pattern: As `DataSpec.group`.
        groups: That there are.
        images: In them.
        across: Groups in more than one part of the data's own split.
        example: The images of one, sorted.
    """

    pattern: str
    groups: int
    images: int
    across: int
    example: tuple[str, ...]

    def message(self, user_split: bool) -> str:
        """Return what a person should know, as a few sentences safe for a terminal."""
        where = tr("a split that ignores them has images of one group on two sides")
        if user_split:
            across = plural(self.across, "group")
            where = tr("the split in the data has {across} on two sides", across=across)
        return tr(
            "File names suggest that {images:,} images are {groups:,} groups, such as of one "
            "person or one film ({example}); {where}, and its test accuracy is too good. If they "
            "belong together: --group '{pattern}' (in the app data.group, among the strategy's "
            "options).",
            groups=self.groups,
            images=self.images,
            example=format_examples(self.example),
            where=where,
            pattern=self.pattern,
        )


def suggest_groups(usable: Sequence[ScanRecord]) -> SuggestedGroups | None:
    """Return the groups that file names suggest; None for ordinary names.

    With a split in the data only groups on two of its sides count.
    """
    return next(filter(None, (_try(pattern, usable) for pattern in _PATTERNS)), None)


def find_bursts(usable: Sequence[ScanRecord]) -> list[list[ScanRecord]]:
    """Return bursts: images of one class by one camera, each soon after the one before.

    Copies count once. With a split in the data only bursts on two of its sides count.
    """
    rolls: dict[tuple[str, str], list[tuple[datetime, ScanRecord]]] = defaultdict(list)
    for record in {record.pixel_hash: record for record in usable}.values():
        if record.camera and record.taken:
            roll = rolls[record.label, record.camera]
            roll.append((datetime.fromisoformat(record.taken), record))
    bursts: list[list[ScanRecord]] = []
    for roll in rolls.values():
        before = datetime.min
        for taken, record in sorted(roll, key=lambda shot: (shot[0], shot[1].path)):
            if (taken - before).total_seconds() > MAX_PAUSE:
                bursts.append([])
            bursts[-1].append(record)
            before = taken
    user_split = any(record.split for record in usable)
    return [
        burst
        for burst in bursts
        if len({record.split for record in burst}) > 1 or (len(burst) > 1 and not user_split)
    ]


def _try(pattern: re.Pattern[str], usable: Sequence[ScanRecord]) -> SuggestedGroups | None:
    by_name: dict[str, list[ScanRecord]] = defaultdict(list)
    sizes: Counter[tuple[str, str]] = Counter()
    for record in usable:
        if name := find_group(pattern, record.path):
            if _DATE.search(name) or (pattern is _FOLDER and _divides_files(name, record)):
                continue
            by_name[name].append(record)
            sizes[record.label, name] += 1
    matched, labels = sizes.total(), {record.label for record in usable}
    if (
        matched < MIN_MATCHED * len(usable)
        or matched < MIN_IMAGES * len(sizes)
        or sum(size > 1 for size in sizes.values()) < MIN_SEVERAL * len(sizes)
        or len(sizes) < max(MIN_GROUPS * len(labels), 1)
    ):
        return None
    several = [group for group in by_name.values() if len(group) > 1]
    across = [group for group in several if len({record.split for record in group}) > 1]
    if not across and any(record.split for record in usable):
        return None
    example = natural_sorted(record.path for record in (across or several)[0])
    images = sum(map(len, several))
    return SuggestedGroups(pattern.pattern, len(several), images, len(across), tuple(example))


def _divides_files(folder: str, record: ScanRecord) -> bool:
    """Return whether a folder is the class's own, or begins the names of its files."""
    stem = PurePath(record.path).stem
    return folder == record.label or (len(folder) <= _MAX_SHARD and stem.startswith(folder))
