"""Images of one group are never on two sides: splits, label fixes, resumed runs, folds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.datasets.audit import Audit, audit
from workbench.datasets.duplicates import MAX_GROUP, NearPairs, joined_groups, number_groups
from workbench.datasets.groups import (
    NO_EFFECT,
    match_groups,
    preview_groups,
    summarize_groups,
)
from workbench.datasets.label_fixes import LabelFix, apply_label_fixes
from workbench.datasets.likely_groups import MIN_GROUPS, find_bursts, suggest_groups
from workbench.datasets.manifest import (
    ImageRecord,
    ScanRecord,
    read_manifest,
    write_manifest,
)
from workbench.datasets.prepare import inspect, prepare, prepare_from_manifest
from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item, Source
from workbench.datasets.split import assign
from workbench.errors import UserError
from workbench.experiment.group_pattern import EXAMPLE, compile_group_pattern
from workbench.experiment.sections import DataSpec, SplitSpec
from workbench.paths import Workspace
from workbench.training.solve import split_folds
from workbench.worker.training_setup import training_data

NONE = NearPairs(())


def grouped(label: str, sizes: Sequence[int], split: str | None = None) -> list[ScanRecord]:
    return [
        record(f"{label}{number}-{n}", label, f"{label}{number}", split)
        for number, size in enumerate(sizes)
        for n in range(size)
    ]


def record(
    path: str, label: str, group: str, split: str | None = None, pixels: str = ""
) -> ScanRecord:
    return ScanRecord(path, label, split, pixel_hash=pixels or path, group=group)


def counts(records: list[ScanRecord], spec: SplitSpec) -> list[Counter[str | None]]:
    """Return the images of each part, by label."""
    splits = assign(records, spec, NONE).splits
    labels = sorted({one.label for one in records})
    return [Counter(splits[r.path] for r in records if r.label == label) for label in labels]


def assert_whole(records: Sequence[ImageRecord], splits: dict[str, str | None]) -> None:
    sides: dict[int, set[str]] = {}
    for one, number in zip(records, number_groups(records), strict=True):
        if split := splits[one.path]:
            sides.setdefault(number, set()).add(split)
    assert all(len(side) == 1 for side in sides.values())


# The split


def test_fractions_are_met_with_whole_groups() -> None:
    records = grouped("a", [5] * 40) + grouped("b", [1] * 100)
    assert counts(records, SplitSpec()) == [
        {"train": 140, "validation": 30, "test": 30},
        {"train": 70, "validation": 15, "test": 15},
    ]
    assert_whole(records, assign(records, SplitSpec(), NONE).splits)
    assert assign(records, SplitSpec(), NONE).notes == (
        "140 groups of images, each kept on one side of the split.",
    )


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([50, 1, 1], {"train": 50, "validation": 1, "test": 1}),
        ([100, 100, 100], {"train": 100, "validation": 100, "test": 100}),
        ([25, 25, 25, 25], {"train": 50, "validation": 25, "test": 25}),
    ],
)
def test_few_groups_still_reach_every_part(sizes: list[int], expected: dict[str, int]) -> None:
    both = counts(grouped("a", sizes) + grouped("b", sizes), SplitSpec())
    assert both == [expected, expected]


def test_shares_that_differ_and_classes_that_lack_a_part_are_reported() -> None:
    records = grouped("a", [25] * 4) + grouped("b", [25] * 2)
    assert assign(records, SplitSpec(), NONE).notes == (
        "6 groups of images, each kept on one side of the split.",
        "Since groups are kept whole, training, validation and test have 50, 33, 17 % of the "
        "images instead of 70, 15, 15 %.",
        "Too few groups: no test images of 1 class (b).",
    )


@pytest.mark.parametrize(("over", "notes"), [(1, 1), (2, 2)])
def test_up_to_three_points_are_no_difference(over: int, notes: int) -> None:
    """Of 50 images one is two points."""
    sizes = [25 + over, 12 - over] + [1] * 13
    records = grouped("a", sizes)
    spec = SplitSpec(train=0.5, validation=0.24, test=0.26)
    assert len(assign(records, spec, NONE).notes) == notes


def test_groups_that_leave_a_part_empty_are_refused() -> None:
    with pytest.raises(UserError) as refused:
        assign(grouped("a", [10, 10]) + grouped("b", [10]), SplitSpec(), NONE)
    assert refused.value.message == (
        "The groups leave no test images: 30 images are 3 groups, each kept on one side of the "
        "split."
    )
    assert "--set data.split.test=0.0" in refused.value.hint


def test_counts_are_met_where_groups_allow_and_the_rest_is_unused() -> None:
    spec = SplitSpec(train=50, validation=20, test=20)
    assert counts(grouped("a", [100] * 3), spec) == [
        {"train": 50, "validation": 20, "test": 20, None: 210}
    ]
    with pytest.raises(UserError, match="or are of one group, and have to stay together"):
        assign(grouped("a", [100] * 2), spec, NONE)


def test_a_declared_group_is_never_broken_and_near_copies_only_join_within_the_bound() -> None:
    film = grouped("a", [MAX_GROUP + 1, MAX_GROUP, 1, 1])
    near = NearPairs(((film[0], film[-1]), (film[-2], film[-1]), (film[-3], film[-2])))
    sizes = sorted(len(group) for group in joined_groups(film, near.pairs))
    assert sizes == [2, MAX_GROUP, MAX_GROUP + 1]


def test_copies_join_their_groups() -> None:
    records = [
        *(record(f"p{n}", "a", "p") for n in range(3)),
        record("p-copy", "a", "p", pixels="same"),
        record("q-copy", "a", "q", pixels="same"),
        record("q1", "a", "q"),
        record("alone", "a", ""),
    ]
    assert sorted(len(group) for group in joined_groups(records, NONE.pairs)) == [1, 6]
    assert len(set(number_groups(records))) == 2


def test_contradicting_labels_take_their_whole_group_to_training() -> None:
    records = grouped("a", [5] * 10) + grouped("b", [5] * 10)
    both = [record("x", "a", "a0", pixels="same"), record("y", "b", "b0", pixels="same")]
    splits = assign(records + both, SplitSpec(), NONE).splits
    together = [r for r in records + both if r.group in ("a0", "b0")]
    assert {splits[r.path] for r in together} == {"train"}


def test_validation_taken_from_training_keeps_groups() -> None:
    train = grouped("a", [4] * 20, "train") + grouped("b", [4] * 20, "train")
    test = [record(f"t{n}", "ab"[n % 2], "", "test") for n in range(10)]
    done = assign(train + test, SplitSpec(), NONE)
    assert Counter(done.splits.values()) == {"train": 136, "validation": 24, "test": 10}
    assert_whole(train, done.splits)
    assert "40 groups of images, each kept on one side of the split." in done.notes


shapes = st.lists(  # the group of each image, its label, and its pixels where they are shared
    st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.integers(0, 25)),
    min_size=6, max_size=70,
)  # fmt: skip


def shaped(images: list[tuple[int, str, int]], split: str | None = None) -> list[ScanRecord]:
    made = [
        record(f"{n}", label, f"g{group}" if group else "", split, f"p{p}" if p < 4 else f"own{n}")
        for n, (group, label, p) in enumerate(images)
    ]
    return [*made, *(record(f"more-{label}", label, "", split) for label in "ab")]


@settings(max_examples=150, deadline=None)
@given(
    shapes,
    st.sampled_from([(0.7, 0.15, 0.15), (0.4, 0.3, 0.1), (0.8, 0.0, 0.2), (3, 1, 1), (1, 0, 2)]),
    st.integers(0, 5),
)
def test_no_group_is_ever_on_two_sides(
    images: list[tuple[int, str, int]], parts: tuple[float, float, float], seed: int
) -> None:
    train, validation, test = parts
    spec = SplitSpec(train=train, validation=validation, test=test, seed=seed)
    records = shaped(images)
    try:
        splits = assign(records, spec, NONE).splits
    except UserError:  # counts that cannot be met, or a part without images
        return
    assert_whole(records, splits)
    for label in {r.label for r in records}:
        assert "train" in {splits[r.path] for r in records if r.label == label}
    if not spec.counts and sum(parts) > 0.99 and not contradicts(records):
        assert None not in splits.values()
    assert assign(records[::-1], spec, NONE).splits == splits


def contradicts(records: list[ScanRecord]) -> bool:
    return len({(r.pixel_hash, r.label) for r in records}) > len({r.pixel_hash for r in records})


@settings(max_examples=75, deadline=None)
@given(shapes, st.sampled_from([0.3, 1, 2]))
def test_no_group_of_a_users_training_part_is_on_two_sides(
    images: list[tuple[int, str, int]], validation: float
) -> None:
    train = shaped(images, "train")
    tested = [record("t-a", "a", "", "test"), record("t-b", "b", "", "test")]
    train_part, test_part = (0.7, 0.0) if validation < 1 else (100, 0)
    spec = SplitSpec(train=train_part, validation=validation, test=test_part)
    try:
        splits = assign(train + tested, spec, NONE).splits
    except UserError:
        return
    assert_whole(train, splits)


@settings(max_examples=75, deadline=None)
@given(shapes, st.dictionaries(st.integers(0, 69), st.sampled_from(["a", "b", ""]), max_size=9))
def test_label_fixes_change_labels_and_no_groups(
    images: list[tuple[int, str, int]], changes: dict[int, str]
) -> None:
    records = shaped(images)
    fixes = [
        LabelFix(records[n].path, records[n].pixel_hash, label)
        for n, label in changes.items()
        if n < len(images)
    ]
    fixed = apply_label_fixes(records, list({fix.pixel_hash: fix for fix in fixes}.values()))
    before = {r.path: r.group for r in records}
    assert {r.path: r.group for r in fixed.records}.items() <= before.items()
    try:
        splits = assign(fixed.records, SplitSpec(), NONE).splits
    except UserError:
        return
    assert_whole(fixed.records, splits)


# Folds


@settings(max_examples=75, deadline=None)
@given(shapes, st.integers(2, 6), st.integers(0, 5))
def test_no_group_is_ever_on_two_sides_of_a_fold(
    images: list[tuple[int, str, int]], folds: int, seed: int
) -> None:
    records = shaped(images)
    numbers = np.array(number_groups(records))
    assume(len(set(numbers.tolist())) > 1)
    labels = np.array(["ab".index(r.label) for r in records])
    parts = split_folds(labels, folds, seed, numbers)
    for kept, left_out in parts:
        assert not set(numbers[kept]) & set(numbers[left_out])
    assert sorted(np.concatenate([left_out for _, left_out in parts])) == list(range(len(records)))


def test_numbers_follow_groups_and_pixels() -> None:
    rows = [record(*one) for one in (("0", "a", ""), ("1", "a", "g"), ("2", "b", "g"))]
    rows += [record("3", "a", "h", pixels="2"), record("4", "a", "h"), record("5", "a", "")]
    assert number_groups(rows) == [0, 1, 1, 1, 1, 5]


# The manifest


def test_the_manifest_keeps_groups_in_a_last_column(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    digits = "0123456789abcdef" * 2
    rows = [
        ImageRecord("a", "x", "train", 5, 4, 7, digits, None, 'p "1",\n'),
        ImageRecord("b", "x", "test", 5, 4, 7, digits),
    ]
    write_manifest(path, rows)
    assert path.read_text().splitlines()[0] == (
        "path,label,split,width,height,bytes,pixel_hash,group"
    )
    assert read_manifest(path) == rows
    write_manifest(path, [replace(row, group="") for row in rows])
    assert path.read_text() == (
        "path,label,split,width,height,bytes,pixel_hash\n"
        f"a,x,train,5,4,7,{digits}\nb,x,test,5,4,7,{digits}\n"
    )


# Patterns and their preview


def source(*paths: str) -> Source:
    return Source(Path("/photos"), "class folders", tuple(Item(path, "a") for path in paths))


def test_a_preview_lists_groups_sizes_and_what_matches_nothing() -> None:
    paths = [f"a/patient_{p}_{n}.png" for p in range(4) for n in range(p + 1)]
    assert preview_groups(source(*paths, "a/x.png", "a/y.png"), EXAMPLE) == [
        "4 groups of 1 to 4 images (median 2), each kept on one side of a split",
        "  patient_1, 2 images: a/patient_1_0.png, a/patient_1_1.png",
        "  patient_2, 3 images: a/patient_2_0.png, a/patient_2_1.png, a/patient_2_2.png",
        "  patient_3, 4 images: a/patient_3_0.png, a/patient_3_1.png, a/patient_3_2.png",
        "  2 images in none: each is a group of its own",
    ]


def test_a_preview_without_effect_says_so() -> None:
    assert preview_groups(source("a/1.png", "a/2.png"), r"(?P<group>\d)\.")[-1] == NO_EFFECT
    assert summarize_groups([("a", ""), ("b", "")]) is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "The group pattern: received '('; it is no regular expression"),
        ("(?P<group>zzz)", "The group pattern (?P<group>zzz) matches none of 2 images."),
        (
            "(?P<group>a)",
            "The group pattern (?P<group>a) puts all 2 images into one group, a, which no split "
            "can divide.",
        ),
    ],
)
def test_patterns_that_group_nothing_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        match_groups(["a/1\x1b.png", "a/2.png"], pattern)
    assert refused.value.message.startswith(message)
    assert preview_groups(source("a/1\x1b.png", "a/2.png"), pattern)[0].startswith(message)
    assert "\x1b" not in str(refused.value)


# The audit


def audited(records: list[ScanRecord]) -> Audit:
    items = tuple(Item(r.path, r.label, r.split) for r in records)
    return audit(Source(Path("/photos"), "class folders", items), records, NONE)


def findings(records: list[ScanRecord]) -> dict[str, str]:
    return {one.code: one.message for one in audited(records).findings}


def named(*names: str, labels: str = "ab", split: str | None = None) -> list[ScanRecord]:
    return [
        ScanRecord(f"{label}/{name}", label, split, pixel_hash=f"{label}{name}")
        for label in labels
        for name in names
    ]


def test_groups_are_in_the_audit_and_survive_its_file() -> None:
    found = audited(grouped("a", [3, 2]))
    assert found.groups is not None
    assert (found.groups.groups, found.groups.largest, found.groups.alone) == (2, 3, 0)
    assert Audit.from_json(found.to_json()) == found
    assert "2 groups of 2 to 3 images (median 2)" in "\n".join(found.lines())


def test_an_audit_of_an_older_version_has_no_groups() -> None:
    found = replace(audited(named("1.png", "2.png")), groups=None)
    text = found.to_json()
    start = text.rindex(',\n "groups"')
    assert Audit.from_json(text[:start] + "\n}") == found


def test_a_split_in_the_data_with_a_group_on_two_sides_is_an_error() -> None:
    records = [record("1", "a", "p", "train"), record("2", "a", "p", "test")]
    records += [record("3", "a", "q", "train"), record("4", "a", "q", "train")]
    assert findings(records)["groups-across"] == (
        "1 group of images in more than one split, 2 files in all (p)."
    )
    assert "groups-across" not in findings(records[2:])


def test_groups_without_effect_are_a_warning() -> None:
    assert findings(grouped("a", [1, 1, 1]))["groups"] == NO_EFFECT
    assert "groups" not in findings(grouped("a", [1, 1, 2]))


GROUPED_NAMES = [
    [f"patient_{p:03}_{n:02}.png" for p in range(MIN_GROUPS) for n in range(2)],
    [f"IMG_{p:04}_crop{n}.jpg" for p in range(9) for n in range(3)],
    [f"{p}_{eye}.jpeg" for p in range(9) for eye in ("left", "right")],
    [f"film{p}_frame_{n * 37}.jpg" for p in range(9) for n in range(5)],
    [f"{name}_{n}.jpg" for name in ("ann", "bob", "eve", "tom") for n in range(3)],
    [f"ann{p}/{n}.jpg" for p in range(9) for n in range(3)],
]
ORDINARY_NAMES = [
    [f"patient_{p:03}_{n:02}.png" for p in range(MIN_GROUPS - 1) for n in range(2)],
    [f"cat.{n}.jpg" for n in range(99)],
    [f"IMG_{n:04}.jpg" for n in range(99)],
    [f"{n:05}.png" for n in range(99)],
    [f"image ({n}).jpg" for n in range(99)],
    [f"{n * 7919:016x}{n * 104729:016x}.jpg" for n in range(99)],
    [f"{n * 7919}_{n * 104729:010x}_n.jpg" for n in range(1, 99)],  # Flickr
    [f"n02_{n}.JPEG" for n in range(99)],
    [f"IMG_202401{d:02}_{n * 613:06}.jpg" for d in range(1, 29) for n in range(4)],
    [f"2024-01-{d:02} 12.{n:02}.30.jpg" for d in range(1, 29) for n in range(4)],
    [f"IMG-202401{d:02}-WA{n:04}.jpg" for d in range(1, 29) for n in range(4)],
    [f"{p}_resized.jpg" for p in range(99)],
    [f"{n % 16:02x}/{n % 16:02x}{n * 7919:06x}.jpg" for n in range(99)],
    [*(f"DSC{n}.jpg" for n in range(50)), *(f"IMG_{n}.jpg" for n in range(50))],
]


@pytest.mark.parametrize("names", GROUPED_NAMES, ids=lambda names: names[0])
def test_names_that_suggest_groups_are_a_warning_with_the_pattern(names: list[str]) -> None:
    found = suggest_groups(named(*names))
    assert found is not None
    assert compile_group_pattern(found.pattern)
    assert f"--group '{found.pattern}'" in findings(named(*names))["likely-groups"]
    groups = match_groups([f"a/{name}" for name in names], found.pattern)
    assert len(set(groups)) == found.groups
    assert "" not in groups


@pytest.mark.parametrize("names", ORDINARY_NAMES, ids=lambda names: names[0])
def test_ordinary_names_suggest_nothing(names: list[str]) -> None:
    assert suggest_groups(named(*names)) is None


def test_names_suggest_nothing_where_groups_are_declared() -> None:
    records = [replace(one, group=one.path[:14]) for one in named(*GROUPED_NAMES[0])]
    assert "likely-groups" not in findings(records)


def test_a_split_in_the_data_that_keeps_the_groups_of_names_is_no_warning() -> None:
    names = GROUPED_NAMES[0]
    kept = named(*names[:-2], split="train") + named(*names[-2:], split="test")
    torn = named(*names[:-1], split="train") + named(*names[-1:], split="test")
    assert "likely-groups" not in findings(kept)
    assert "has 1 group on two sides" in findings(torn)["likely-groups"]


def shot(path: str, taken: str, label: str = "a", camera: str = "One", **other: str) -> ScanRecord:
    pixels = other.pop("pixels", path)
    when = f"2024-05-01 {taken}"
    return ScanRecord(path, label, **{"split": None, **other}, pixel_hash=pixels, camera=camera,
                      taken=when)  # fmt: skip


@pytest.mark.parametrize(("second", "found"), [(3, ["1", "2", "3"]), (4, ["2", "3"])])
def test_images_of_one_camera_within_seconds_are_a_burst(second: int, found: list[str]) -> None:
    records = [
        shot("3", f"10:00:0{second + 3}"), shot("1", "10:00:00"), shot("2", f"10:00:0{second}"),
        shot("4", "11:00:00"), shot("5", "11:00:00", camera="Two"), shot("6", "11:00:00", "b"),
        shot("7", "12:00:00", camera=""), shot("8", "12:00:00", camera=""),
        shot("9", "13:00:00", pixels="x"), shot("10", "13:00:00", pixels="x"),  # a copy
        ScanRecord("11", "a", None, pixel_hash="11", camera="One"),
    ]  # fmt: skip
    assert [[one.path for one in burst] for burst in find_bursts(records)] == [found]
    assert findings(records)["bursts"].startswith(
        f"{len(found)} images are 1 burst: of one class, by one camera, at most 3 seconds apart"
    )
    declared = [replace(record, group=record.path) for record in records]
    assert "bursts" not in findings(declared)


def test_bursts_that_a_split_in_the_data_keeps_are_no_warning() -> None:
    kept = [shot("1", "10:00:00", split="train"), shot("2", "10:00:01", split="train")]
    assert find_bursts(kept) == []
    torn = [kept[0], replace(kept[1], split="test")]
    assert find_bursts(torn) == [torn]


# From a folder to a run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw = np.random.default_rng(1)
    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(24):
            pixels = draw.integers(0, 256, (9, 9, 3), np.uint8)
            name = f"patient_{label}{number // 3}_{number % 3}.png"
            Image.fromarray(pixels).save(tmp_path / "photos" / label / name)
    return tmp_path / "photos"


PATTERN = r"(?P<group>patient_\w\d)"


def test_a_pattern_reaches_the_manifest_and_a_resumed_run_keeps_its_groups(
    photos: Path, tmp_path: Path
) -> None:
    workspace, path = Workspace(tmp_path / "ws"), tmp_path / "manifest.csv"
    data = DataSpec(source=str(photos), image_size=(8, 8), group=PATTERN)
    prepared = prepare(data, workspace)
    assert len({row.group for row in prepared.rows}) == 16
    splits = {row.path: row.split for row in prepared.rows}
    assert_whole(prepared.rows, splits)
    assert "16 groups of images, each kept on one side of the split." in prepared.notes
    write_manifest(path, prepared.rows)
    (photos / "a" / "patient_a0_9.png").write_bytes((photos / "a/patient_a1_0.png").read_bytes())
    resumed = prepare_from_manifest(data, read_manifest(path), workspace)
    assert resumed.rows == prepared.rows
    made = training_data(resumed.rows, resumed.labels, resumed.pack)
    assert made.groups is not None
    assert made.groups.tolist() == number_groups(prepared.rows)
    assert len(set(made.groups.tolist())) == 16


def test_without_a_pattern_the_data_folder_knows_of_no_groups(photos: Path, tmp_path: Path) -> None:
    """A pattern is of one experiment; the next one has its own."""
    workspace = Workspace(tmp_path / "ws")
    assert inspect(photos, workspace, group=PATTERN).groups is not None
    found = inspect(photos, workspace)
    assert found.groups is None
    assert "likely-groups" in {one.code for one in found.findings}


def test_a_pattern_that_matches_nothing_ends_the_scan_before_it_begins(
    photos: Path, tmp_path: Path
) -> None:
    phases: list[str] = []
    with pytest.raises(UserError, match="matches none of 48 images"):
        inspect(
            photos,
            Workspace(tmp_path / "ws"),
            lambda phase, done, total: phases.append(phase),
            group="(?P<group>zzz)",
        )
    assert "scan" not in phases


def test_a_column_names_groups_and_a_pattern_replaces_them(photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.png"))
    lines = [f"{f.relative_to(photos)},{f.parent.name},{f.stem[-1]}" for f in files]
    table = photos / "labels.csv"
    table.write_text("\n".join(["path,label,patient", *lines]))
    assert {item.group for item in open_source(table).items} == {"0", "1", "2"}
    workspace = Workspace(tmp_path / "ws")
    data = DataSpec(source=str(table), image_size=(8, 8))
    assert len({row.group for row in prepare(data, workspace).rows}) == 3
    other = data.model_copy(update={"group": PATTERN})
    assert len({row.group for row in prepare(other, workspace).rows}) == 16
    assert len({row.group for row in prepare(data, workspace).rows}) == 3  # the kept listing
