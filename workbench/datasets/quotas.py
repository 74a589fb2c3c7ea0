"""How many images of each class a split still wants, and filling it with groups of images."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import islice

from workbench.datasets.manifest import ScanRecord
from workbench.experiment.sections import SPLITS

Group = list[ScanRecord]  # records that have to stay together
# Training, validation and test as fractions or images per class. Training may be None: all that
# the counts of the others leave.
Fractions = tuple[float | int | None, float | int, float | int]


class Quotas:
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
        self._empty = {  # of each label, the parts that want images and have none
            label: {split for split, quota in zip(SPLITS, wanted, strict=True) if quota > 0}
            for label, wanted in quotas.items()
        }
        self._trained: set[str] = set()

    def put(self, group: Group, split: str) -> None:
        """Put all of a group into a split; quotas may become negative."""
        for record in group:
            self.splits[record.path] = split
            self.open[record.label][SPLITS.index(split)] -= 1
            self._empty[record.label].discard(split)
            if split == "train":
                self._trained.add(record.label)

    def put_if_room(self, record: ScanRecord, split: str) -> None:
        """Put one image into a split where its label's quota is open."""
        if self.open[record.label][SPLITS.index(split)] > 0:
            self.put([record], split)

    def trains(self, label: str) -> bool:
        """Return whether an image of the label is in the training part."""
        return label in self._trained

    def neediest(self, group: Group, among: Collection[str] = ()) -> str | None:
        """Return the split that wants most of a group; None where none wants any of it.

        Args:
            group: To be put.
            among: The splits to choose from, whether or not they want any; () for all.
        """
        labels = Counter(record.label for record in group)
        needs = {
            split: sum(count * self.open[label][at] for label, count in labels.items())
            for at, split in enumerate(SPLITS)
            if not among or split in among
        }
        split = max(needs, key=needs.__getitem__)  # the first of several
        return split if among or needs[split] > 0 else None

    def lacking(self, group: Group, left: Mapping[str, int]) -> set[str]:
        """Return the splits of which one has to get a group, lest a label is missing there.

        Args:
            group: To be put.
            left: The groups with images of a label that are not put yet.
        """
        needed: set[str] = set()
        for label in {record.label for record in group}:
            empty = self._empty[label]
            if "train" in empty and left[label] == 1:
                return {"train"}
            if left[label] <= len(empty):
                needed |= empty
        return needed

    def missing(self) -> list[str]:
        """Return the splits that want images and have none."""
        return [
            split
            for at, split in enumerate(SPLITS)
            if split not in self.splits.values()
            and any(quotas[at] > 0 for quotas in self.open.values())
        ]

    def is_short(self, label: str, fractions: Fractions) -> bool:
        """Return whether a class misses a count, or training images, at the end."""
        quotas = self.open[label]
        if fractions[0] is not None:
            return any(quota > 0 for quota in quotas)
        return not self.trains(label) or any(quota > 0 for quota in quotas[1:])


def fill(groups: list[Group], quotas: Quotas, each_part: bool) -> None:
    """Put groups of several where most is missing, then single images in one row.

    The row starts with the training images and ends with the test images: where one image more or
    less has the label, as after a label fix, all but a few others keep their split.

    Args:
        groups: The large ones first.
        quotas: To fill.
        each_part: True to give the last groups of a label to the parts that have none of it.
    """
    singles: dict[str, list[ScanRecord]] = defaultdict(list)
    left = Counter(label for group in groups for label in {record.label for record in group})
    for group in groups:
        lacking = quotas.lacking(group, left) if each_part else set()
        left.subtract({record.label for record in group})
        if len(group) == 1 and not lacking:
            singles[group[0].label].append(group[0])
        elif split := quotas.neediest(group, lacking):
            if quotas.exact:
                for record in group:
                    quotas.put_if_room(record, split)
            else:
                quotas.put(group, split)
    for label, records in singles.items():
        row = iter(records)
        for at, split in enumerate(SPLITS):
            quotas.put(list(islice(row, max(quotas.open[label][at], 0))), split)
