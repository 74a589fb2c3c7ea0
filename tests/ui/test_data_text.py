"""What the data screen says of classes, however many there are."""

import pytest

from workbench.datasets.audit import Audit
from workbench.ui.data.text import class_columns, class_rows


def audit_of(counts: dict[str, dict[str, int]]) -> Audit:
    images = sum(sum(by_split.values()) for by_split in counts.values())
    return Audit("class folders", images, images, counts, None, {}, ())


def plain_rows(audit: Audit, most: int) -> list[list[str]]:
    return [[cell.plain for cell in row] for row in class_rows(audit, most, 8, 4, utf8=False)]


def test_a_row_has_the_name_the_images_and_a_bar_of_the_share_of_the_largest() -> None:
    audit = audit_of({"cats": {"all": 2000}, "dogs": {"all": 1000}, "none": {}})
    assert class_columns(audit) == ("class", "images", "")
    assert plain_rows(audit, 9) == [
        ["cats", "2,000", "####"],
        ["dogs", "1,000", "##.."],
        ["none", "0", "...."],
    ]


def test_a_split_has_a_column_for_each_part_with_images() -> None:
    audit = audit_of({"cats": {"train": 6, "test": 2}, "dogs": {"train": 4}})
    assert class_columns(audit) == ("class", "train", "test", "")
    assert plain_rows(audit, 9) == [["cats", "6", "2", "####"], ["dogs", "4", "0", "##.."]]


@pytest.mark.parametrize(("most", "shown"), [(2, 2), (3, 3), (4, 3)])
def test_the_first_classes_are_shown_and_measured_by_the_largest_of_all(
    most: int, shown: int
) -> None:
    audit = audit_of({"a": {"all": 1}, "b": {"all": 2}, "c": {"all": 4}})
    rows = plain_rows(audit, most)
    assert [row[0] for row in rows] == ["a", "b", "c"][:shown]
    assert rows[0][2] == "#..."


def test_no_usable_image_gives_empty_bars() -> None:
    assert plain_rows(audit_of({"a": {}, "b": {}}), 9) == [["a", "0", "...."], ["b", "0", "...."]]
