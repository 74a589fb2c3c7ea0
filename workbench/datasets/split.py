"""Divide images into training, validation and test."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from workbench.datasets.duplicates import MAX_GROUP, NearPairs, joined_groups, near_pairs
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.names import format_examples, natural_sorted
from workbench.datasets.quotas import Fractions, Group, Quotas, fill
from workbench.errors import UserError
from workbench.experiment.facts import allocate
from workbench.experiment.sections import SPLITS, SplitSpec
from workbench.messages import tr
from workbench.text import plural, safe_text

_BY_FRACTIONS = "--set data.split.train=0.7 --set data.split.validation=0.15 \
--set data.split.test=0.15"

_SHARE_TOLERANCE = 0.03  # of a part from its fraction, above which it is reported


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

    Each class is divided separately. Images with the same pixels stay together, and so do those of
    a declared group, and near copies, in groups of bounded size; those with the same pixels and
    contradicting labels go to training, as far as it has room: they would distort any evaluation.
    The order is drawn from the seed and the pixels, so that names and other images do not matter.

    Declared groups are large and few: fractions are met as nearly as they allow, and each part
    gets one of a class that has enough of them.

    A split in the data is kept. Only if it has no validation part, one is taken from its training
    part.

    Args:
        records: Of a scan.
        spec: Fractions or counts, and the seed.
        near: Near duplicates among the records, where they are known already.

    Raises:
        UserError: A class has fewer images than the counts require, or none to train on; or the
            groups leave a part without images.
    """
    usable = [record for record in records if record.usable]
    _refuse_empty_classes(records, usable)
    near = near_pairs(usable) if near is None else near
    if not any(record.split for record in usable):
        splits = _allocate(usable, spec.parts, spec.seed, near)
        notes = [*_group_notes(usable, splits, spec.parts), *_near_notes(splits, near)]
        return SplitAssignment(splits, tuple(notes))
    splits = {record.path: record.split for record in usable}
    notes = [tr("The split in the data is kept as it is.")]
    missing = [part for part in SPLITS if part not in splits.values()]
    if "validation" in missing and spec.validation:
        training = [record for record in usable if record.split == "train"]
        fractions: Fractions = (_rest(spec.validation), spec.validation, 0.0)
        taken = _allocate(training, fractions, spec.seed, near)
        splits.update(taken)
        count = sum(1 for split in taken.values() if split == "validation")
        notes = [
            tr(
                "The split in the data is kept; it has no validation part, so {images} of "
                "the training part were taken for validation.",
                images=plural(count, "image"),
            )
        ]
        if unused := sum(1 for split in taken.values() if split is None):
            notes.append(
                tr(
                    "{training_images} with the same pixels as others, or nearly, {or_group}not "
                    "used, so that the two parts stay apart.",
                    training_images=plural(unused, "training image"),
                    or_group=tr("or of the same group, ") if _is_grouped(training) else "",
                )
            )
        notes += [*_group_notes(training, taken, fractions), *_near_notes(taken, near)]
    if "test" in missing:
        notes.append(tr("The data has no test part, so there are no test images."))
    return SplitAssignment(splits, tuple(notes))


def _rest(validation: float | int) -> float | int | None:
    """Return the training part beside a validation part; None stands for all others."""
    return None if isinstance(validation, int) else 1.0 - validation


def _is_grouped(records: Iterable[ScanRecord]) -> bool:
    return any(record.group for record in records)


def _group_notes(
    records: Sequence[ScanRecord], splits: dict[str, str | None], fractions: Fractions
) -> Iterator[str]:
    """Yield notes on declared groups, and on what they did to the parts."""
    names = {record.group for record in records if record.group}
    if not names:
        return
    yield tr(
        "{groups} of images, each kept on one side of the split.",
        groups=plural(len(names), "group"),
    )
    if _counted(fractions):
        return
    used = Counter(split for split in splits.values() if split)
    wanted = [float(part or 0) for part in fractions]
    shares = [used[split] / max(used.total(), 1) for split in SPLITS]
    asked = [part / sum(wanted) for part in wanted]
    if any(abs(got - part) > _SHARE_TOLERANCE for got, part in zip(shares, asked, strict=True)):
        yield tr(
            "Since groups are kept whole, training, validation and test have {shares} % of the "
            "images instead of {asked} %.",
            shares=_percents(shares),
            asked=_percents(asked),
        )
    labels = natural_sorted({record.label for record in records})
    there = {(record.label, splits[record.path]) for record in records}
    for split, part in zip(SPLITS, wanted, strict=True):
        if lacking := [label for label in labels if part and (label, split) not in there]:
            yield tr(
                "Too few groups: no {split} images of {classes} ({examples}).",
                split=split,
                classes=plural(len(lacking), "class", "classes"),
                examples=format_examples(lacking),
            )


def _percents(shares: Iterable[float]) -> str:
    return ", ".join(f"{100 * share:.0f}" for share in shares)


def _near_notes(splits: dict[str, str | None], near: NearPairs) -> Iterator[str]:
    """Yield notes on near duplicates that were kept together, or could not be."""
    placed = [
        (splits[a.path], splits[b.path])
        for a, b in near.pairs
        if splits.get(a.path) and splits.get(b.path)
    ]
    apart = sum(one != other for one, other in placed)
    pairs = plural(len(placed), "pair")
    if placed and not apart:
        yield tr(
            "{pairs} of images look nearly the same; both images of a pair are on the same side "
            "of the split.",
            pairs=pairs,
        )
    elif placed:
        yield tr(
            "{pairs} of images look nearly the same, {apart:,} of them on two sides of the split, "
            "since at most {max_group} images are kept together. The test may be a little too "
            "easy.",
            pairs=pairs,
            apart=apart,
            max_group=MAX_GROUP,
        )
    if not near.complete:
        yield (
            tr(
                "There are too many similar images to compare all of them: more near "
                "copies may be on two sides of the split."
            )
        )


def _allocate(
    records: Sequence[ScanRecord], fractions: Fractions, seed: int, near: NearPairs
) -> dict[str, str | None]:
    """Return the split of each record by path; None for those that are not used."""
    labels = natural_sorted({record.label for record in records})
    images = Counter(record.label for record in records)
    quotas = Quotas(
        {label: _class_quotas(label, images[label], fractions) for label in labels},
        {record.path: None for record in records},
        exact=_counted(fractions),
    )
    groups: list[Group] = []
    for group in joined_groups(records, near.pairs):
        if not _contradicting(group):
            groups.append(group)
        elif quotas.exact or not any(record.group for record in group):
            for record in group:
                quotas.put_if_room(record, "train")
        else:  # most of a declared group may be without fault
            quotas.put(group, "train")
    # The large ones first, those of one size in the order of their draw.
    groups.sort(key=lambda group: (-len(group), min(_draw(seed, record) for record in group)))
    each_part = not quotas.exact and _is_grouped(records)
    if not quotas.exact and not each_part:
        # The smallest group: if all were large, the others could leave training nothing.
        smallest = {record.label: group for group in groups for record in group}
        for label in labels:
            if label in smallest and not quotas.trains(label):
                quotas.put(smallest[label], "train")
        groups = [group for group in groups if quotas.splits[group[0].path] is None]
    fill(groups, quotas, each_part)
    if quotas.exact:
        for label in labels:
            if quotas.is_short(label, fractions):
                raise _too_few_of_one_side(label, images[label], fractions, _is_grouped(records))
    elif each_part:
        _refuse_empty_parts(quotas, records)
    return quotas.splits


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
        where = " " + tr("in the training part") if user_split else ""
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
        required = tr("{validation} for validation and 1 to train on", validation=validation)
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


def _too_few_of_one_side(label: str, images: int, fractions: Fractions, grouped: bool) -> UserError:
    error = _too_few(label, images, fractions)
    return UserError(
        tr(
            "{error_message} Many of them have the same pixels, or nearly, {or_group}and "
            "have to stay together.",
            error_message=error.message,
            or_group=tr("or are of one group, ") if grouped else "",
        ),
        error.hint,
    )


def _refuse_empty_parts(quotas: Quotas, records: Sequence[ScanRecord]) -> None:
    """Refuse groups that leave a part without images, where the images alone would not."""
    for split in quotas.missing():
        count = len({record.group or record.path for record in records})
        raise UserError(
            tr(
                "The groups leave no {split} images: {images:,} images are {groups}, each kept on "
                "one side of the split.",
                split=split,
                images=len(records),
                groups=plural(count, "group"),
            ),
            tr(
                "Use smaller groups, or no {split} part: --set data.split.{split}=0.0",
                split=split,
            ),
        )
