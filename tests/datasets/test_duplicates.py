"""Same and nearly same images: exact groups, verified pairs, linear cost."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from image_files import photo
from PIL import Image

from workbench.datasets import duplicates
from workbench.datasets.duplicates import exact_groups, near_pairs
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.scan import difference_hash, pixel_hash, thumbnail


def record(path: str, image: Image.Image, label: str = "x", split: str | None = None) -> ScanRecord:
    grey = image.convert("L")
    return ScanRecord(
        path,
        label,
        split,
        width=image.width,
        height=image.height,
        pixel_hash=pixel_hash(image),
        dhash=difference_hash(grey),
        thumbnail=thumbnail(grey),
    )


def resaved(image: Image.Image, quality: int = 50) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def paths(records: list[ScanRecord]) -> list[tuple[str, str]]:
    return [(a.path, b.path) for a, b in near_pairs(records).pairs]


def test_exact_groups_are_those_of_the_same_pixels() -> None:
    records = [
        record(name, photo(seed)) for name, seed in zip("dbaecf", (1, 2, 1, 3, 2, 1), strict=True)
    ]
    groups = exact_groups(records)
    assert [[r.path for r in group] for group in groups] == [["a", "d", "f"], ["b", "c"]]


def test_unusable_files_are_no_duplicates() -> None:
    assert exact_groups([ScanRecord(p, "x", None, problem="the file is empty") for p in "ab"]) == []


def test_a_resaved_and_a_halved_picture_are_near() -> None:
    picture = photo(1, 200, 160)
    records = [
        record("a", picture),
        record("b", resaved(picture)),
        record("c", picture.resize((100, 80), Image.Resampling.BICUBIC)),
        record("d", photo(2, 200, 160)),
    ]
    assert sorted(paths(records)) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_exact_duplicates_are_no_near_pairs() -> None:
    picture = photo(1, 200, 160)
    records = [record("a", picture), record("b", picture), record("c", resaved(picture))]
    assert paths(records) == [("a", "c")]


def test_an_equal_hash_is_not_enough() -> None:
    picture = photo(1, 200, 160)
    dark = picture.point(lambda value: value // 2)
    a, b = record("a", picture), record("b", dark)
    assert near_pairs([a, replace(b, dhash=a.dhash)]).pairs == ()


def like(base: ScanRecord, path: str, **changes: Any) -> ScanRecord:
    """The same picture under another name, with other pixels somewhere."""
    return replace(base, path=path, pixel_hash=path.encode().hex(), **changes)


def shifted(base: ScanRecord, bits: int, path: str) -> ScanRecord:
    """The same thumbnail, and a hash in which so many bits differ, each in a band of its own."""
    turned = sum(1 << place for place in (0, 13, 26, 39, 52)[:bits])
    return like(base, path, dhash=(base.dhash or 0) ^ turned)


@pytest.mark.parametrize(("bits", "near"), [(1, True), (4, True), (5, False)])
def test_the_bound_of_bits_holds_wherever_they_differ(bits: int, near: bool) -> None:
    base = record("a", photo(1, 200, 160))
    assert bool(near_pairs([base, shifted(base, bits, "b")]).pairs) is near


@pytest.mark.parametrize(("levels", "near"), [(8, True), (9, False)])
def test_the_bound_of_grey_levels_holds(levels: int, near: bool) -> None:
    base = record("a", photo(1, 200, 160).point(lambda value: 40 + value // 2))
    thumbnail = np.frombuffer(base.thumbnail, np.uint8) + levels
    other = like(base, "b", thumbnail=thumbnail.tobytes())
    assert bool(near_pairs([base, other]).pairs) is near


def test_plain_surfaces_are_alike_by_nature() -> None:
    surfaces = [Image.new("RGB", (80, 80), (value,) * 3) for value in (100, 101, 102)]
    assert paths([record(str(i), image) for i, image in enumerate(surfaces)]) == []


@pytest.mark.parametrize(("levels", "near"), [(15, False), (16, True)])
def test_the_bound_of_contrast_holds(levels: int, near: bool) -> None:
    half = bytes([100]) * 128 + bytes([100 + levels]) * 128  # its standard deviation: levels / 2
    base = replace(record("a", photo(1, 200, 160)), thumbnail=half)
    assert bool(near_pairs([base, like(base, "b")]).pairs) is near


def test_pairs_are_never_joined_to_groups() -> None:
    base = record("a", photo(1, 200, 160))
    middle, far = shifted(base, 3, "b"), shifted(base, 5, "c")
    assert sorted(paths([base, middle, far])) == [("a", "b"), ("b", "c")]


def test_images_without_a_hash_take_no_part() -> None:
    small = [ScanRecord(p, "x", None, pixel_hash=p * 32, width=63, height=80) for p in "ab"]
    assert near_pairs(small).pairs == ()
    assert near_pairs([]).pairs == ()


def test_crowded_buckets_are_capped_and_reported_as_incomplete() -> None:
    base = record("0", photo(1, 200, 160))
    crowd = [like(base, str(n)) for n in range(100)]
    found = near_pairs(crowd)
    assert len(found.pairs) == sum(100 - step for step in range(1, 33))
    assert not found.complete
    assert near_pairs(crowd[:32]).complete
    assert len(near_pairs(crowd[:32]).pairs) == 32 * 31 // 2


def test_pairs_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_MAX_PAIRS", 10)
    base = record("0", photo(1, 200, 160))
    crowd = [like(base, str(n)) for n in range(30)]
    found = near_pairs(crowd)
    assert (len(found.pairs), found.complete) == (10, False)


def test_the_nearest_pair_comes_first_and_progress_ends() -> None:
    picture = photo(1, 200, 160)
    records = [
        record("a", picture),
        record("b", resaved(picture, 10)),
        record("c", resaved(picture, 95)),
    ]
    steps: list[tuple[str, int, int]] = []
    found = near_pairs(records, lambda *step: steps.append(step))
    assert [found.pairs[0][0].path, found.pairs[0][1].path] == ["a", "c"]
    assert steps[-1][0] == "compare"
    assert steps[-1][1] == steps[-1][2]
