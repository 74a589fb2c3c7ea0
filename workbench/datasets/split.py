"""Shares images out to training, validation and test."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from workbench.datasets.duplicates import exact_groups
from workbench.datasets.names import SPLITS, examples, naturally
from workbench.datasets.scan import Record
from workbench.errors import UserError
from workbench.experiment.sections import SplitSpec
from workbench.experiment.shares import share_out
from workbench.text import plural, safe_text

_BY_FRACTIONS = "--set data.split.train=0.7 --set data.split.validation=0.15 \
--set data.split.test=0.15"

Group = list[Record]  # records with the same pixels
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


def assign(records: Sequence[Record], spec: SplitSpec) -> Assignment:
    """Shares usable images out, the same way for the same images and seed.

    Each class is shared out by itself. Images with the same pixels go to one side; those whose
    labels contradict each other go to training, as far as it has room: they would spoil any
    measurement. The order is drawn from the seed and the pixels, so that names and other images
    do not matter.

    A split that the person made stays as it is. Only if it has no validation part, one is taken
    from its training part.

    Raises:
        UserError: a class has fewer images than the counts ask for, or none to train on.
    """
    usable = [record for record in records if record.usable]
    _refuse_empty_classes(records, usable)
    if not any(record.split for record in usable):
        return Assignment(_share_out(usable, spec.parts, spec.seed))
    splits: dict[str, str | None] = {record.path: record.split for record in usable}
    notes = ["The split in the data is kept as it is."]
    missing = [part for part in SPLITS if part not in splits.values()]
    if "validation" in missing and spec.validation:
        training = [record for record in usable if record.split == "train"]
        parts = (_rest(spec.validation), spec.validation, 0.0)
        taken = _share_out(training, parts, spec.seed)
        splits.update(taken)
        count = sum(1 for split in taken.values() if split == "validation")
        notes = [
            "The split in the data is kept; it has no validation part, so "
            f"{plural(count, 'image')} of the training part were taken for validation."
        ]
        if unused := sum(1 for split in taken.values() if split is None):
            notes.append(
                f"{plural(unused, 'training image')} with the same pixels as others not used, "
                "so that the two parts stay apart."
            )
    if "test" in missing:
        notes.append("The data has no test part, so there are no test images.")
    return Assignment(splits, tuple(notes))


def _rest(validation: float | int) -> float | int | None:
    """What remains to train on beside a validation part; None stands for all others."""
    return None if isinstance(validation, int) else 1.0 - validation


def _share_out(
    records: Sequence[Record],
    parts: Parts,
    seed: int,
) -> dict[str, str | None]:
    """The split of each record by path; None for those that are not used."""
    splits: dict[str, str | None] = {record.path: None for record in records}
    by_label: dict[str, list[Group]] = defaultdict(list)
    in_conflict: dict[str, Group] = defaultdict(list)
    for group in _groups_of_pixels(records):
        labels = {record.label for record in group}
        for record in group if len(labels) > 1 else ():
            in_conflict[record.label].append(record)
        if len(labels) == 1:
            by_label[labels.pop()].append(group)
    for label in naturally({record.label for record in records}):
        groups, conflicts = by_label[label], in_conflict[label]
        images = sum(map(len, groups)) + len(conflicts)
        quotas = _quotas(label, images, parts)
        train = conflicts[: quotas[0]]
        quotas[0] -= _put(train, "train", splits)
        groups.sort(key=lambda group: (-len(group), _draw(seed, group[0])))
        if groups and not train and not _counted(parts):
            # The smallest group: if all were large, the others could leave training nothing.
            quotas[0] -= _put(groups.pop(), "train", splits)
        _fill(groups, quotas, splits, exact=_counted(parts))
        own = [*conflicts, *(record for group in groups for record in group)]
        if _counted(parts) and _short(own, quotas, parts, splits):
            raise _too_few_of_one_side(label, images, parts)
    return splits


def _fill(
    groups: list[Group], quotas: list[int], splits: dict[str, str | None], exact: bool
) -> None:
    """Puts groups of several where most is still missing, then single images in one row.

    The row begins with what is to train on and ends with the test images: where an image more or
    less has the label, as after a correction, all but a few others keep their part.

    Args:
        groups: the large ones first, those of one size in the order of their draw.
        quotas: images still wanted in each split; counted down.
        exact: True to leave images of a group unused rather than exceed a quota.
    """
    several = [group for group in groups if len(group) > 1]
    for group in several:
        fullest = max(range(len(SPLITS)), key=lambda i: quotas[i])
        if quotas[fullest] <= 0:
            break
        chosen = group[: quotas[fullest]] if exact else group
        quotas[fullest] -= _put(chosen, SPLITS[fullest], splits)
    singles = iter(groups[len(several) :])
    for at, split in enumerate(SPLITS):
        for group in islice(singles, max(quotas[at], 0)):
            quotas[at] -= _put(group, split, splits)


def _short(
    records: list[Record], quotas: list[int], parts: Parts, splits: dict[str, str | None]
) -> bool:
    """Whether a class misses a count, or anything to train on, once its records are put."""
    if parts[0] is not None:
        return any(quota > 0 for quota in quotas)
    trained = any(splits[record.path] == "train" for record in records)
    return not trained or any(quota > 0 for quota in quotas[1:])


def _put(group: Group, split: str, splits: dict[str, str | None]) -> int:
    splits.update((record.path, split) for record in group)
    return len(group)


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


def _groups_of_pixels(records: Sequence[Record]) -> list[Group]:
    several = [list(group) for group in exact_groups(records)]
    grouped = {record.path for group in several for record in group}
    return several + [[record] for record in records if record.path not in grouped]


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
        f"{error.message} Many of them have the same pixels and have to stay on one side.",
        error.hint,
    )
