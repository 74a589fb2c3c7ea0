"""Divide images into training, validation and test."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from workbench.datasets.duplicates import MAX_GROUP, NearPairs, joined_groups, near_pairs
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.names import format_examples, natural_sorted
from workbench.errors import UserError
from workbench.experiment.facts import SPLITS, allocate
from workbench.experiment.sections import SplitSpec
from workbench.messages import tr
from workbench.text import plural, safe_text

_BY_FRACTIONS = "--set data.split.train=0.7 --set data.split.validation=0.15 \
--set data.split.test=0.15"

Group = list[ScanRecord]  # records that have to stay together: the same pixels, or nearly
# Training, validation and test as fractions or images per class. Training may be None: all that
# the counts of the others leave.
Fractions = tuple[float | int | None, float | int, float | int]


@dataclass(frozen=True)
class SplitAssignment:
    """The split of each image.

    Attributes:
        splits: train, validation, test or None (not used), by path.
        notes: Sentences about the split.
    """

    splits: dict[str, str | None]
    notes: tuple[str, ...] = ()


def assign(
    records: Sequence[ScanRecord], spec: SplitSpec, near: NearPairs | None = None
) -> SplitAssignment:
    """Divide usable images, deterministically for the same images and seed.

    Each class is divided separately. Images with the same pixels stay together, and so do near
    copies, in groups of bounded size; those with the same pixels and contradicting labels go to
    training, as far as it has room: they would distort any evaluation. The order is drawn from
    the seed and the pixels, so that names and other images do not matter.

    A split in the data is kept. Only if it has no validation part, one is taken from its training
    part.

    Args:
        records: Of a scan.
        spec: Fractions or counts, and the seed.
        near: Near duplicates among the records, where they are known already.

    Raises:
        UserError: A class has fewer images than the counts require, or none to train on.
    """
    usable = [record for record in records if record.usable]
    _refuse_empty_classes(records, usable)
    near = near_pairs(usable) if near is None else near
    if not any(record.split for record in usable):
        splits = _allocate(usable, spec.parts, spec.seed, near)
        return SplitAssignment(splits, tuple(_near_notes(splits, near)))
    splits = {record.path: record.split for record in usable}
    notes = ["The split in the data is kept as it is."]
    missing = [part for part in SPLITS if part not in splits.values()]
    if "validation" in missing and spec.validation:
        training = [record for record in usable if record.split == "train"]
        fractions: Fractions = (_rest(spec.validation), spec.validation, 0.0)
        taken = _allocate(training, fractions, spec.seed, near)
        splits.update(taken)
        count = sum(1 for split in taken.values() if split == "validation")
        notes = [
            "The split in the data is kept; it has no validation part, so "
            f"{plural(count, 'image')} of the training part were taken for validation."
        ]
        if unused := sum(1 for split in taken.values() if split is None):
            notes.append(
                tr(
                    "{training_images} with the same pixels as others, or nearly, not "
                    "used, so that the two parts stay apart.",
                    training_images=plural(unused, "training image"),
                )
            )
        notes += _near_notes(taken, near)
    if "test" in missing:
        notes.append(tr("The data has no test part, so there are no test images."))
    return SplitAssignment(splits, tuple(notes))


def _rest(validation: float | int) -> float | int | None:
    """Return the training part beside a validation part; None stands for all others."""
    return None if isinstance(validation, int) else 1.0 - validation


def _near_notes(splits: dict[str, str | None], near: NearPairs) -> Iterator[str]:
    """Yield notes on near duplicates that were kept together, or could not be."""
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
            f"{MAX_GROUP} images; {apart:,} on two sides, beyond that bound."
        )
    if not near.complete:
        yield (
            "There are too many similar images to compare all of them: more near copies may be "
            "on two sides of the split."
        )


def _allocate(
    records: Sequence[ScanRecord], fractions: Fractions, seed: int, near: NearPairs
) -> dict[str, str | None]:
    """Return the split of each record by path; None for those that are not used."""
    labels = natural_sorted({record.label for record in records})
    images = Counter(record.label for record in records)
    quotas = _Quotas(
        {label: _class_quotas(label, images[label], fractions) for label in labels},
        {record.path: None for record in records},
        exact=_counted(fractions),
    )
    groups: list[Group] = []
    for group in joined_groups(records, near):
        if _contradicting(group):
            for record in group:
                quotas.put_if_room(record, "train")
        else:
            groups.append(group)
    # The large ones first, those of one size in the order of their draw.
    groups.sort(key=lambda group: (-len(group), min(_draw(seed, record) for record in group)))
    if not quotas.exact:
        # The smallest group: if all were large, the others could leave training nothing.
        smallest = {record.label: group for group in groups for record in group}
        for label in labels:
            if label in smallest and not quotas.trains(label):
                quotas.put(smallest[label], "train")
        groups = [group for group in groups if quotas.splits[group[0].path] is None]
    _fill(groups, quotas)
    if quotas.exact:
        for label in labels:
            if quotas.is_short(label, fractions):
                raise _too_few_of_one_side(label, images[label], fractions)
    return quotas.splits


class _Quotas:
    """The open quotas of each label and split, and the splits of the images so far.

    Attributes:
        open: Images still wanted of a label, in the order of SPLITS.
        splits: The split by path; None where an image is not used.
        exact: True to leave images of a group unused rather than exceed a quota.
    """

    def __init__(
        self, quotas: dict[str, list[int]], splits: dict[str, str | None], exact: bool
    ) -> None:
        self.open, self.splits, self.exact = quotas, splits, exact
        self._trained: set[str] = set()

    def put(self, group: Group, split: str) -> None:
        """Put all of a group into a split; quotas may become negative."""
        for record in group:
            self.splits[record.path] = split
            self.open[record.label][SPLITS.index(split)] -= 1
            if split == "train":
                self._trained.add(record.label)

    def put_if_room(self, record: ScanRecord, split: str) -> None:
        """Put one image into a split where its label's quota is open."""
        if self.open[record.label][SPLITS.index(split)] > 0:
            self.put([record], split)

    def trains(self, label: str) -> bool:
        """Return whether an image of the label is in the training part."""
        return label in self._trained

    def neediest(self, group: Group) -> str | None:
        """Return the split that wants most of a group; None where none wants any of it."""
        labels = Counter(record.label for record in group)
        needs = [
            sum(count * self.open[label][at] for label, count in labels.items())
            for at in range(len(SPLITS))
        ]
        most = max(needs)
        return SPLITS[needs.index(most)] if most > 0 else None

    def is_short(self, label: str, fractions: Fractions) -> bool:
        """Return whether a class misses a count, or training images, at the end."""
        quotas = self.open[label]
        if fractions[0] is not None:
            return any(quota > 0 for quota in quotas)
        return not self.trains(label) or any(quota > 0 for quota in quotas[1:])


def _fill(groups: list[Group], quotas: _Quotas) -> None:
    """Put groups of several where most is missing, then single images in one row.

    The row starts with the training images and ends with the test images: where one image more or
    less has the label, as after a label fix, all but a few others keep their split.

    Args:
        groups: The large ones first.
        quotas: To fill.
    """
    singles: dict[str, list[ScanRecord]] = defaultdict(list)
    for group in groups:
        if len(group) == 1:
            singles[group[0].label].append(group[0])
        elif split := quotas.neediest(group):
            if quotas.exact:
                for record in group:
                    quotas.put_if_room(record, split)
            else:
                quotas.put(group, split)
    for label, records in singles.items():
        row = iter(records)
        for at, split in enumerate(SPLITS):
            quotas.put(list(islice(row, max(quotas.open[label][at], 0))), split)


def _contradicting(group: Group) -> bool:
    """Return whether images of a group have the same pixels and different labels."""
    labels: dict[str, str] = {}
    return any(labels.setdefault(r.pixel_hash, r.label) != r.label for r in group)


def _class_quotas(label: str, images: int, fractions: Fractions) -> list[int]:
    """Return how many images of a class each split gets.

    Raises:
        UserError: There are fewer images than the counts require.
    """
    if _counted(fractions):
        train, *rest = fractions
        others = [int(part or 0) for part in rest]
        first = max(1, images - sum(others)) if train is None else int(train)
        if first + sum(others) > images:
            raise _too_few(label, images, fractions)
        return [first, *others]
    return allocate(images, [float(part or 0) for part in fractions])


def _draw(seed: int, record: ScanRecord) -> bytes:
    return blake2b(f"{seed}:{record.pixel_hash}".encode(), digest_size=16).digest()


def _counted(fractions: Fractions) -> bool:
    return any(part is None or (isinstance(part, int) and part > 0) for part in fractions)


def _refuse_empty_classes(records: Sequence[ScanRecord], usable: list[ScanRecord]) -> None:
    """Refuse classes without training images: their outputs would never learn anything."""
    user_split = any(record.split for record in records)
    trained = {r.label for r in usable if not user_split or r.split == "train"}
    lacking = natural_sorted({record.label for record in records} - trained)
    if lacking:
        where = " in the training part" if user_split else ""
        raise UserError(
            tr(
                "{class_hass} no usable image{where}: {examples}.",
                class_hass=plural(len(lacking), "class has", "classes have"),
                where=where,
                examples=format_examples(lacking),
            ),
            tr(
                "`workbench data scan` lists the unusable files and the reasons. "
                "Fix them, or remove the class from the data."
            ),
        )


def _too_few(label: str, images: int, fractions: Fractions) -> UserError:
    train, validation, test = fractions
    if train is None:
        required = f"{validation} for validation and 1 to train on"
        remedy = "--set data.split.validation=0.15"
    else:
        counts = [int(part) for part in (train, validation, test) if part]
        required = f"{' + '.join(map(str, counts))} = {sum(counts)}"
        remedy = _BY_FRACTIONS
    return UserError(
        tr(
            "The class {label} has {usable_images}, and the split asks for {required} a class.",
            label=safe_text(label),
            usable_images=plural(images, "usable image"),
            required=required,
        ),
        tr("Ask for fewer, or for fractions: {remedy}", remedy=remedy),
    )


def _too_few_of_one_side(label: str, images: int, fractions: Fractions) -> UserError:
    error = _too_few(label, images, fractions)
    return UserError(
        tr(
            "{error_message} Many of them have the same pixels, or nearly, and "
            "have to stay together.",
            error_message=error.message,
        ),
        error.hint,
    )
