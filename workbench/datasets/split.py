"""Shares images out to training, validation and test."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from workbench.datasets.duplicates import MOST_TOGETHER, NearPairs, joined_groups, near_pairs
from workbench.datasets.names import SPLITS, examples, naturally
from workbench.datasets.scan import Record
from workbench.errors import UserError
from workbench.experiment.allocate import share_out
from workbench.experiment.sections import SplitSpec
from workbench.text import plural, safe_text

_BY_FRACTIONS = "--set data.split.train=0.7 --set data.split.validation=0.15 \
--set data.split.test=0.15"

Group = list[Record]  # records that belong on one side: the same pixels, or nearly
# Training, validation and test as fractions or images per class. Training may be None: whatever
# the counts of the others leave.
Parts = tuple[float | int | None, float | int, float | int]


@dataclass(frozen=True)
class Assignment:
    """Which image goes where.

    Attributes:
        splits: train, validation, test or None (not used), by path.
        notes: sentences about what was done.
    """

    splits: dict[str, str | None]
    notes: tuple[str, ...] = ()


def assign(records: Sequence[Record], spec: SplitSpec, near: NearPairs | None = None) -> Assignment:
    """Shares usable images out, the same way for the same images and seed.

    Each class is shared out by itself. Images with the same pixels go to one side, and so do near
    copies, in groups of bounded size; those with the same pixels and contradicting labels go to
    training, as far as it has room: they would spoil any measurement. The order is drawn from the
    seed and the pixels, so that names and other images do not matter.

    A split that the person made stays as it is. Only if it has no validation part, one is taken
    from its training part.

    Args:
        near: near duplicates among the records, where they are known already.

    Raises:
        UserError: a class has fewer images than the counts ask for, or none to train on.
    """
    usable = [record for record in records if record.usable]
    _refuse_empty_classes(records, usable)
    near = near_pairs(usable) if near is None else near
    if not any(record.split for record in usable):
        splits = _share_out(usable, spec.parts, spec.seed, near)
        return Assignment(splits, tuple(_near_notes(splits, near)))
    splits = {record.path: record.split for record in usable}
    notes = ["The split in the data is kept as it is."]
    missing = [part for part in SPLITS if part not in splits.values()]
    if "validation" in missing and spec.validation:
        training = [record for record in usable if record.split == "train"]
        parts = (_rest(spec.validation), spec.validation, 0.0)
        taken = _share_out(training, parts, spec.seed, near)
        splits.update(taken)
        count = sum(1 for split in taken.values() if split == "validation")
        notes = [
            "The split in the data is kept; it has no validation part, so "
            f"{plural(count, 'image')} of the training part were taken for validation."
        ]
        if unused := sum(1 for split in taken.values() if split is None):
            notes.append(
                f"{plural(unused, 'training image')} with the same pixels as others, or nearly, "
                "not used, so that the two parts stay apart."
            )
        notes += _near_notes(taken, near)
    if "test" in missing:
        notes.append("The data has no test part, so there are no test images.")
    return Assignment(splits, tuple(notes))


def _rest(validation: float | int) -> float | int | None:
    """What remains to train on beside a validation part; None stands for all others."""
    return None if isinstance(validation, int) else 1.0 - validation


def _near_notes(splits: dict[str, str | None], near: NearPairs) -> Iterator[str]:
    """What was done about near duplicates, and what could not be done."""
    placed = [
        (splits[a.path], splits[b.path])
        for a, b in near.pairs
        if splits.get(a.path) and splits.get(b.path)
    ]
    apart = sum(one != other for one, other in placed)
    if placed:
        yield (
            f"{plural(len(placed), 'pair')} of images that look nearly the same: "
            f"{len(placed) - apart:,} kept on one side of the split, in groups of at most "
            f"{MOST_TOGETHER} images; {apart:,} on two sides, beyond that bound."
        )
    if not near.complete:
        yield (
            "There are too many similar images to compare all of them: more near copies may be "
            "on two sides of the split."
        )


def _share_out(
    records: Sequence[Record], parts: Parts, seed: int, near: NearPairs
) -> dict[str, str | None]:
    """The split of each record by path; None for those that are not used."""
    labels = naturally({record.label for record in records})
    images = Counter(record.label for record in records)
    wanted = _Wanted(
        {label: _quotas(label, images[label], parts) for label in labels},
        {record.path: None for record in records},
        exact=_counted(parts),
    )
    groups: list[Group] = []
    for group in joined_groups(records, near):
        if _contradicting(group):
            for record in group:
                wanted.put_if_room(record, "train")
        else:
            groups.append(group)
    # The large ones first, those of one size in the order of their draw.
    groups.sort(key=lambda group: (-len(group), min(_draw(seed, record) for record in group)))
    if not wanted.exact:
        # The smallest group: if all were large, the others could leave training nothing.
        smallest = {record.label: group for group in groups for record in group}
        for label in labels:
            if label in smallest and not wanted.trains(label):
                wanted.put(smallest[label], "train")
        groups = [group for group in groups if wanted.splits[group[0].path] is None]
    _fill(groups, wanted)
    if wanted.exact:
        for label in labels:
            if wanted.is_short(label, parts):
                raise _too_few_of_one_side(label, images[label], parts)
    return wanted.splits


class _Wanted:
    """How many images of each label each split still wants, and where images were put.

    Attributes:
        quotas: images still wanted of a label, in the order of SPLITS.
        splits: the split by path; None where an image is not used.
        exact: True to leave images of a group unused rather than exceed a quota.
    """

    def __init__(
        self, quotas: dict[str, list[int]], splits: dict[str, str | None], exact: bool
    ) -> None:
        self.quotas, self.splits, self.exact = quotas, splits, exact
        self._trained: set[str] = set()

    def put(self, group: Group, split: str) -> None:
        """Put all of a group there; its labels' quotas may become negative."""
        for record in group:
            self.splits[record.path] = split
            self.quotas[record.label][SPLITS.index(split)] -= 1
            if split == "train":
                self._trained.add(record.label)

    def put_if_room(self, record: Record, split: str) -> None:
        """Put one image there as long as its label is wanted."""
        if self.quotas[record.label][SPLITS.index(split)] > 0:
            self.put([record], split)

    def trains(self, label: str) -> bool:
        """Whether an image of the label was put to train on."""
        return label in self._trained

    def neediest(self, group: Group) -> str | None:
        """The split that wants most of what the group has; None where none wants any of it."""
        labels = Counter(record.label for record in group)
        needs = [
            sum(count * self.quotas[label][at] for label, count in labels.items())
            for at in range(len(SPLITS))
        ]
        most = max(needs)
        return SPLITS[needs.index(most)] if most > 0 else None

    def is_short(self, label: str, parts: Parts) -> bool:
        """Whether a class misses a count, or anything to train on, once all are put."""
        quotas = self.quotas[label]
        if parts[0] is not None:
            return any(quota > 0 for quota in quotas)
        return not self.trains(label) or any(quota > 0 for quota in quotas[1:])


def _fill(groups: list[Group], wanted: _Wanted) -> None:
    """Puts groups of several where most is still missing, then single images in one row.

    The row begins with what is to train on and ends with the test images: where an image more or
    less has the label, as after a correction, all but a few others keep their part.

    Args:
        groups: the large ones first.
    """
    singles: dict[str, list[Record]] = defaultdict(list)
    for group in groups:
        if len(group) == 1:
            singles[group[0].label].append(group[0])
        elif split := wanted.neediest(group):
            if wanted.exact:
                for record in group:
                    wanted.put_if_room(record, split)
            else:
                wanted.put(group, split)
    for label, records in singles.items():
        row = iter(records)
        for at, split in enumerate(SPLITS):
            wanted.put(list(islice(row, max(wanted.quotas[label][at], 0))), split)


def _contradicting(group: Group) -> bool:
    """Whether images of the group have the same pixels and different labels."""
    labels: dict[str, str] = {}
    return any(labels.setdefault(r.pixel_hash, r.label) != r.label for r in group)


def _quotas(label: str, images: int, parts: Parts) -> list[int]:
    """How many images of a class each split gets.

    Raises:
        UserError: fewer images than counted parts ask for.
    """
    if _counted(parts):
        train, *others = parts
        wanted = sum(int(part or 0) for part in others)
        first = max(1, images - wanted) if train is None else int(train)
        if first + wanted > images:
            raise _too_few(label, images, parts)
        return [first, *(int(part or 0) for part in others)]
    return share_out(images, [float(part or 0) for part in parts])


def _draw(seed: int, record: Record) -> bytes:
    return blake2b(f"{seed}:{record.pixel_hash}".encode(), digest_size=16).digest()


def _counted(parts: Parts) -> bool:
    return any(part is None or (isinstance(part, int) and part > 0) for part in parts)


def _refuse_empty_classes(records: Sequence[Record], usable: list[Record]) -> None:
    """A class that cannot be trained on would be an output that nothing ever teaches."""
    user_split = any(record.split for record in records)
    trained = {r.label for r in usable if not user_split or r.split == "train"}
    lacking = naturally({record.label for record in records} - trained)
    if lacking:
        where = " in the training part" if user_split else ""
        raise UserError(
            f"{plural(len(lacking), 'class has', 'classes have')} no usable image{where}: "
            f"{examples(lacking)}.",
            "`workbench data scan` names the files that cannot be used and why. Mend them, or take "
            "the class out of the data.",
        )


def _too_few(label: str, images: int, parts: Parts) -> UserError:
    train, validation, test = parts
    if train is None:
        asked = f"{validation} for validation and 1 to train on"
        remedy = "--set data.split.validation=0.15"
    else:
        counts = [int(part) for part in (train, validation, test) if part]
        asked = f"{' + '.join(map(str, counts))} = {sum(counts)}"
        remedy = _BY_FRACTIONS
    return UserError(
        f"The class {safe_text(label)} has {plural(images, 'usable image')}, and the split asks "
        f"for {asked} a class.",
        f"Ask for fewer, or for fractions: {remedy}",
    )


def _too_few_of_one_side(label: str, images: int, parts: Parts) -> UserError:
    error = _too_few(label, images, parts)
    return UserError(
        f"{error.message} Many of them have the same pixels, or nearly, and have to stay "
        "on one side.",
        error.hint,
    )
