import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis.folds import stratified_folds
from workbench.errors import UserError

labels_of_images = st.lists(st.integers(0, 4), min_size=2, max_size=60)
fold_counts = st.integers(2, 7)


def spread(counts):
    return max(counts) - min(counts)


@given(labels_of_images, fold_counts, st.integers(1, 3), st.integers(0, 5))
def test_each_image_is_tested_once_in_each_repeat_and_labels_are_in_proportion(
    labels, folds, repeats, seed
):
    made = stratified_folds(np.array(labels), None, folds, repeats, seed)
    assert len(made) == repeats
    for parts in made:
        assert len(parts) == min(folds, len(labels))
        assert sorted(np.concatenate(parts)) == list(range(len(labels)))
        assert spread([len(part) for part in parts]) <= 1
        for label in set(labels):
            assert (
                spread([np.count_nonzero(np.array(labels)[part] == label) for part in parts]) <= 1
            )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 12)), min_size=2, max_size=80).filter(
        lambda images: len({group for _, group in images}) > 1
    ),
    fold_counts,
    st.integers(0, 5),
)
def test_no_group_is_in_two_folds(images, folds, seed):
    labels, groups = (np.array(column) for column in zip(*images, strict=True))
    for parts in stratified_folds(labels, groups, folds, 2, seed):
        assert 2 <= len(parts) <= folds
        assert sorted(np.concatenate(parts)) == list(range(len(labels)))
        held = [set(groups[part]) for part in parts]
        assert sum(len(one) for one in held) == len(set(groups))


def test_groups_are_dealt_so_that_labels_stay_in_proportion():
    """Ten patients with four images each, of two labels: two patients of each label in a fold."""
    groups = np.repeat(np.arange(20), 4)
    labels = np.repeat(np.arange(2), 40)
    for parts in stratified_folds(labels, groups, 5, 3, seed=0):
        assert [np.bincount(labels[part]).tolist() for part in parts] == [[8, 8]] * 5


def test_a_large_group_is_made_up_for_by_the_other_folds():
    """Of 40 images 10 are one group: with them in a fold, the others get the rest."""
    groups = np.append(np.zeros(10, int), np.arange(1, 31))
    (parts,) = stratified_folds(np.zeros(40, int), groups, 4, 1, seed=0)
    assert [len(part) for part in parts] == [10, 10, 10, 10]


def test_groups_of_several_labels_are_placed_by_all_of_them():
    """Six groups with images of two labels, and six of one each: the folds are equal."""
    groups = np.append(np.repeat(np.arange(6), 2), np.arange(6, 18))
    labels = np.append(np.tile([0, 1], 6), np.repeat([0, 1], 6))
    for parts in stratified_folds(labels, groups, 3, 3, seed=1):
        assert [np.bincount(labels[part]).tolist() for part in parts] == [[4, 4]] * 3


def test_the_seed_decides():
    labels = np.arange(40) % 3
    first, again, other = (
        [part.tolist() for parts in stratified_folds(labels, None, 5, 2, seed) for part in parts]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert first[:5] != first[5:]  # as does the repeat


def test_one_group_alone_cannot_be_split():
    with pytest.raises(UserError, match="two groups at least, not 1"):
        stratified_folds(np.array([0, 1, 0]), np.array([7, 7, 7]), 5, 1, seed=0)
