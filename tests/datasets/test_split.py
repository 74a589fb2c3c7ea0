"""Splits are stratified, drawn from the seed, and keep the same pixels on one side."""

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.datasets.duplicates import MAX_GROUP, NearPairs, joined_groups
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.split import assign
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.sections import SplitSpec


def images(split: str | None = None, prefix: str = "", **counts: int) -> list[ScanRecord]:
    return [
        ScanRecord(f"{prefix}{label}/{n}", label, split, pixel_hash=f"{prefix}{label}{n}")
        for label, count in counts.items()
        for n in range(count)
    ]


def spec(**values: Any) -> SplitSpec:
    return SplitSpec(**values)


def tally(records: list[ScanRecord], chosen: SplitSpec) -> dict[str, dict[str | None, int]]:
    splits = assign(records, chosen).splits
    labels = {record.path: record.label for record in records}
    counted: dict[str, Counter[str | None]] = {}
    for path, split in splits.items():
        counted.setdefault(labels[path], Counter())[split] += 1
    return {label: dict(counts) for label, counts in counted.items()}


def refusal(records: list[ScanRecord], chosen: SplitSpec) -> UserError:
    with pytest.raises(UserError) as refused:
        assign(records, chosen)
    return refused.value


def test_fractions_are_met_in_each_class() -> None:
    assert tally(images(a=100, b=20), SplitSpec()) == {
        "a": {"train": 70, "validation": 15, "test": 15},
        "b": {"train": 14, "validation": 3, "test": 3},
    }


def test_fractions_below_one_leave_images_out() -> None:
    chosen = spec(train=0.2, validation=0.1, test=0.1)
    assert tally(images(a=10), chosen)["a"] == {"train": 2, "validation": 1, "test": 1, None: 6}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "validation": 1}),
        (3, {"train": 1, "validation": 1, "test": 1}),
        (4, {"train": 2, "validation": 1, "test": 1}),
        (5, {"train": 3, "validation": 1, "test": 1}),
    ],
)
def test_each_part_gets_an_image_where_possible(count: int, expected: dict[str, int]) -> None:
    assert tally(images(a=count, b=9), SplitSpec())["a"] == expected


def test_a_part_of_zero_gets_none() -> None:
    chosen = spec(train=0.8, validation=0.0, test=0.2)
    assert tally(images(a=10), chosen)["a"] == {"train": 8, "test": 2}


def test_counts_are_met_exactly_and_the_rest_is_unused() -> None:
    chosen = spec(train=5, validation=3, test=2)
    assert tally(images(a=11, b=10), chosen) == {
        "a": {"train": 5, "validation": 3, "test": 2, None: 1},
        "b": {"train": 5, "validation": 3, "test": 2},
    }


def test_counts_too_large_are_refused_with_the_remedy() -> None:
    refused = refusal(images(**{"a": 10, "b\x1b": 9}), spec(train=5, validation=3, test=2))
    assert refused.message == (
        "The class b\\e has 9 usable images, and the split asks for 5 + 3 + 2 = 10 a class."
    )
    assert "--set data.split.train=0.7" in refused.hint


def test_the_seed_decides_and_nothing_else() -> None:
    records = images(a=50, b=50)
    first = assign(records, spec(seed=1)).splits
    assert assign(records[::-1], spec(seed=1)).splits == first
    assert assign(records, spec(seed=2)).splits != first
    renamed = [ScanRecord(f"new/{r.path}", r.label, None, pixel_hash=r.pixel_hash) for r in records]
    assert assign(renamed, spec(seed=1)).splits == {f"new/{p}": s for p, s in first.items()}


def same(label: str, pixels: str, count: int, prefix: str = "s") -> list[ScanRecord]:
    return [ScanRecord(f"{prefix}{label}{n}", label, None, pixel_hash=pixels) for n in range(count)]


@pytest.mark.parametrize("chosen", [spec(), spec(train=60, validation=15, test=15)])
@pytest.mark.parametrize("at", [0, 17, 99])
def test_a_label_that_is_set_right_moves_few_other_images(chosen: SplitSpec, at: int) -> None:
    before = images(a=100, b=100)
    after = [replace(one, label="b") if one.path == f"a/{at}" else one for one in before]
    splits, corrected = assign(before, chosen).splits, assign(after, chosen).splits
    moved = [path for path in splits if splits[path] != corrected[path]]
    assert len(set(moved) - {f"a/{at}"}) <= 6  # one at each border of a part in each class


@pytest.mark.parametrize("at", [0, 17, 99])
def test_an_image_that_is_left_out_moves_few_others(at: int) -> None:
    before = images(a=100, b=100)
    splits = assign(before, SplitSpec()).splits
    corrected = assign([one for one in before if one.path != f"a/{at}"], SplitSpec()).splits
    assert sum(splits[path] != corrected[path] for path in corrected) <= 3


def test_the_same_pixels_stay_on_one_side() -> None:
    records = images(a=40) + [r for n in range(10) for r in same("a", f"dup{n}", 4, f"{n}-")]
    splits = assign(records, SplitSpec()).splits
    sides: dict[str, set[str | None]] = {}
    for record in records:
        sides.setdefault(record.pixel_hash, set()).add(splits[record.path])
    assert all(len(side) == 1 for side in sides.values())
    assert None not in splits.values()


def test_counts_hold_though_duplicates_stay_together() -> None:
    records = images(a=6) + same("a", "dup", 4)
    assert tally(records, spec(train=3, validation=2, test=2))["a"] == {
        "train": 3,
        "validation": 2,
        "test": 2,
        None: 3,
    }


def test_counts_that_duplicates_make_impossible_are_refused() -> None:
    refused = refusal(same("a", "dup", 6) + images(b=6), spec(train=2, validation=2, test=2))
    assert "The class a has 6 usable images" in refused.message
    assert "same pixels" in refused.message


def test_images_with_contradictory_labels_are_trained_on_not_measured_with() -> None:
    records = images(a=20, b=20) + same("a", "both", 1) + same("b", "both", 1)
    splits = assign(records, SplitSpec()).splits
    assert splits["sa0"] == splits["sb0"] == "train"


def test_bad_files_get_no_split() -> None:
    records = [*images(a=5), ScanRecord("a/bad", "a", None, problem="the file is empty")]
    assert "a/bad" not in assign(records, SplitSpec()).splits


def test_a_class_without_usable_images_is_refused() -> None:
    records = [*images(a=5), ScanRecord("b/bad", "b", None, problem="the file is empty")]
    assert refusal(records, SplitSpec()).message == "1 class has no usable image: b."


def test_a_split_in_the_data_is_kept() -> None:
    records = images("train", a=3, b=3) + images("validation", "v", a=1, b=1)
    records += images("test", "t", a=2, b=1)
    done = assign(records, SplitSpec())
    assert done.splits == {record.path: record.split for record in records}
    assert done.notes == ("The split in the data is kept as it is.",)


def test_a_missing_validation_part_is_taken_from_training() -> None:
    records = images("train", a=20, b=10) + images("test", "t", a=5, b=5)
    done = assign(records, spec(train=0.6, validation=0.2, test=0.2))
    counts = Counter((path[0], split) for path, split in done.splits.items())
    assert counts == {
        ("a", "train"): 16,
        ("a", "validation"): 4,
        ("b", "train"): 8,
        ("b", "validation"): 2,
        ("t", "test"): 10,
    }
    assert "6 images of the training part were taken for validation" in done.notes[0]


def test_a_missing_validation_part_may_be_counted() -> None:
    records = images("train", a=20, b=10) + images("test", "t", a=5, b=5)
    done = assign(records, spec(train=1000, validation=9, test=0))
    assert Counter(done.splits.values()) == {"train": 12, "validation": 18, "test": 10}
    refused = refusal(records, spec(train=1000, validation=10, test=0))
    assert "asks for 10 for validation and 1 to train on a class" in refused.message


def test_training_images_that_cannot_be_kept_apart_are_reported() -> None:
    twins = [ScanRecord(f"a/twin{n}", "a", "train", pixel_hash="twin") for n in range(5)]
    records = images("train", a=2) + twins + images("test", "t", a=3)
    done = assign(records, spec(train=1000, validation=4, test=0))
    assert Counter(done.splits.values()) == {"train": 2, "validation": 4, "test": 3, None: 1}
    assert {done.splits[twin.path] for twin in twins} == {"validation", None}
    assert done.notes[1] == (
        "1 training image with the same pixels as others, or nearly, not used, so that the two "
        "parts stay apart."
    )


def test_validation_never_takes_all_that_there_is_to_train_on() -> None:
    twins = [ScanRecord(f"a/twin{n}", "a", "train", pixel_hash="twin") for n in range(5)]
    refused = refusal(twins + images("test", "t", a=3), spec(train=9, validation=4, test=0))
    assert "4 for validation and 1 to train on" in refused.message
    assert "same pixels" in refused.message


def test_no_validation_is_taken_where_none_is_wanted() -> None:
    records = images("train", a=3) + images("test", "t", a=3)
    done = assign(records, spec(train=0.8, validation=0.0, test=0.2))
    assert Counter(done.splits.values()) == {"train": 3, "test": 3}


def test_without_a_test_part_there_is_none() -> None:
    done = assign(images("train", a=3) + images("validation", "v", a=3), SplitSpec())
    assert set(done.splits.values()) == {"train", "validation"}
    assert done.notes[-1] == "The data has no test part, so there are no test images."


def test_a_label_without_usable_training_images_is_refused() -> None:
    records = [
        *images("train", a=3),
        ScanRecord("b/bad", "b", "train", problem="the file is empty"),
        *images("test", "t", a=1, b=1),
    ]
    assert refusal(records, SplitSpec()).message == (
        "1 class has no usable image in the training part: b."
    )


@settings(max_examples=100, deadline=None)
@given(
    groups=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), min_size=1, max_size=30),
    parts=st.tuples(*[st.integers(0, 10)] * 3),
    seed=st.integers(0, 5),
)
def test_whatever_the_data_no_pixels_leak(
    groups: list[tuple[str, int]], parts: tuple[int, int, int], seed: int
) -> None:
    train, validation, test = (part / 32 for part in parts)
    chosen = spec(train=train + 1 / 32, validation=validation, test=test, seed=seed)
    records = [r for n, (label, k) in enumerate(groups) for r in same(label, f"p{n}", k, f"{n}-")]
    splits = assign(records, chosen).splits
    for pixels in {record.pixel_hash for record in records}:
        sides = {splits[r.path] for r in records if r.pixel_hash == pixels}
        assert len(sides) == 1
    for label in {record.label for record in records}:
        assert "train" in {splits[r.path] for r in records if r.label == label}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.4, 0.0, 0.3), (1, 0, 0)]),
    st.booleans(),
)
def test_what_is_expected_before_a_run_is_what_it_gets(
    counts: list[int], parts: tuple[float, float, float], own_split: bool
) -> None:
    """A set without two images of the same pixels; with a split of its own, one to train on."""
    chosen = spec(**dict(zip(("train", "validation", "test"), parts, strict=True)))
    split = "train" if own_split else None
    records = images(split, **{f"c{n}": count for n, count in enumerate(counts)})
    facts = DataFacts(
        (8, 8), True, 3, len(counts), sum(counts), min(counts), own_split,
        {"train": sum(counts)} if own_split else {}, tuple(counts),
    )  # fmt: skip
    got = Counter(split for split in assign(records, chosen).splits.values() if split)
    assert +Counter(expected_images(facts, chosen)) == got


# Near copies stay on one side


def near(*pairs: tuple[ScanRecord, ScanRecord], complete: bool = True) -> NearPairs:
    return NearPairs(tuple(pairs), complete)


def chained(records: list[ScanRecord]) -> NearPairs:
    """Return pairs in which each image resembles the next, like the frames of a film."""
    return near(*itertools.pairwise(records))


def sides(splits: dict[str, str | None], records: list[ScanRecord]) -> set[str | None]:
    return {splits[record.path] for record in records}


@pytest.mark.parametrize("labels", ["aaa", "aba"])
def test_near_copies_are_on_one_side_whatever_their_labels(labels: str) -> None:
    copies = [
        [ScanRecord(f"{label}/{n}.{k}", label, None, pixel_hash=f"{n}.{k}")
         for k, label in enumerate(labels)]
        for n in range(20)
    ]  # fmt: skip
    records = [record for three in copies for record in three] + images(a=10, b=10)
    found = near(*((three[0], other) for three in copies for other in three[1:]))
    done = assign(records, SplitSpec(), found)
    assert all(len(sides(done.splits, three)) == 1 for three in copies)
    assert set(done.splits.values()) == {"train", "validation", "test"}
    assert done.notes == (
        "40 pairs of images look nearly the same; both images of a pair are on the same side of "
        "the split.",
    )


@pytest.mark.parametrize(("count", "apart"), [(MAX_GROUP, 0), (MAX_GROUP + 1, 1)])
def test_groups_are_bounded_and_what_is_beyond_is_counted(count: int, apart: int) -> None:
    film = images(a=count)
    others = images(prefix="o", a=40, b=40)
    groups = joined_groups(film + others, chained(film).pairs)
    assert max(map(len, groups)) == MAX_GROUP
    assert sum(len(group) > 1 for group in groups) == 1
    chosen = spec(train=0.5, validation=0.0, test=0.5)
    done = assign(film + others, chosen, chained(film))
    placed = [done.splits[record.path] for record in film]
    crossing = sum(one != other for one, other in itertools.pairwise(placed))
    assert crossing <= apart
    of_two = f", {crossing} of them on two sides of the split, since at most {MAX_GROUP} images"
    assert (of_two if crossing else "; both images of a pair are on the same") in done.notes[0]


def test_the_nearest_pairs_are_joined_first() -> None:
    film = images(a=MAX_GROUP + 2)
    twins = near((film[-1], film[-2]), *itertools.pairwise(film))
    groups = {
        record.path: id(group) for group in joined_groups(film, twins.pairs) for record in group
    }
    assert groups[film[-1].path] == groups[film[-2].path] != groups[film[0].path]


def test_exact_copies_are_together_beyond_the_bound() -> None:
    records = same("a", "dup", MAX_GROUP + 1) + images(a=60)
    (large,) = [g for g in joined_groups(records, near().pairs) if len(g) > 1]
    assert len(large) == MAX_GROUP + 1
    (large,) = [
        g for g in joined_groups(records, near((records[0], records[-1])).pairs) if len(g) > 1
    ]
    assert len(large) == MAX_GROUP + 1  # it takes in nothing more


def test_copies_of_copies_are_joined_by_their_pixels() -> None:
    records = [*same("a", "one", 2, "p"), *same("a", "two", 2, "q"), *images(a=30)]
    done = assign(records, SplitSpec(), near((records[1], records[2])))
    assert len(sides(done.splits, records[:4])) == 1


def test_near_copies_keep_to_one_side_when_validation_is_taken_from_training() -> None:
    train = images("train", a=30, b=30)
    pairs = list(zip(train[::2], train[1::2], strict=True))
    done = assign(train + images("test", "t", a=5, b=5), spec(), near(*pairs))
    assert all(len(sides(done.splits, list(pair))) == 1 for pair in pairs)
    assert "validation" in done.splits.values()
    assert any("30 pairs of images look nearly the same; both" in note for note in done.notes)


def test_with_counts_near_copies_are_left_unused_rather_than_torn_apart() -> None:
    records = images(a=12, b=12)
    groups = [records[n : n + 3] for n in range(0, 24, 3)]
    pairs = near(*((g[0], other) for g in groups for other in g[1:]))
    done = assign(records, spec(train=4, validation=2, test=2), pairs)
    for group in groups:
        assert len(sides(done.splits, group) - {None}) <= 1
    counted = Counter((path[0], split) for path, split in done.splits.items() if split)
    assert counted == {
        (label, split): count
        for label in "ab"
        for split, count in (("train", 4), ("validation", 2), ("test", 2))
    }


def test_a_comparison_that_was_not_complete_is_reported() -> None:
    done = assign(images(a=20), SplitSpec(), near(complete=False))
    assert "too many similar images to compare all" in done.notes[0]


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.sampled_from("abc"), min_size=12, max_size=60),
    links=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=40),
    seed=st.integers(1, 5),
)
def test_no_group_within_the_bound_is_ever_on_two_sides(
    labels: list[str], links: list[tuple[int, int]], seed: int
) -> None:
    records = [
        ScanRecord(f"{n}", label, None, pixel_hash=f"{n}")
        for n, label in enumerate([*"abc", *labels])
    ]
    pairs = near(
        *((records[a], records[b]) for a, b in links if a != b and max(a, b) < len(labels))
    )
    splits = assign(records, spec(seed=seed), pairs).splits
    for group in joined_groups(records, pairs.pairs):
        assert len(sides(splits, group)) == 1
    assert None not in splits.values()
    for label in set(labels):  # nothing is left without a class to learn
        assert any(r.label == label and splits[r.path] == "train" for r in records)
