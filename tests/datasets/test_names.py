"""The meaning of folder names and labels: splits, labels, and a safe order."""

import unicodedata

import pytest

from workbench.datasets.names import (
    label_from_name,
    match_label,
    natural_sorted,
    normalize_label,
    similar_labels,
    split_affix,
    split_name,
)

COMPOSED = "café"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (
            "train",
            "train|Training|TRAIN_DATA|Training Data|trainset|TrainSet|Training Images|images_train"
            "|train-images|train_224x224|Train Set (2)|trn|data.train|traindata|train2017",
        ),
        (
            "validation",
            "val|valid|Validation Data|valset|dev|dev-set|images_val|val2017|VALIDATION",
        ),
        ("test", "test|Test1|test set 1|testset|Testing Images|TEST_DATA|images-test|holdout|eval"),
    ],
)
def test_the_usual_spellings_of_a_split(split: str, names: str) -> None:
    assert {name: split_name(name) for name in names.split("|")} == dict.fromkeys(
        names.split("|"), split
    )


@pytest.mark.parametrize(
    "name",
    ["train station", "test tube", "invalid", "protest", "strain", "images", "2017", "", "trainer",
     "train and test", "seg_train", "①"],
)  # fmt: skip
def test_what_is_no_split(name: str) -> None:
    assert split_name(name) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("seg_train", ("train", "seg")),
        ("cat test set", ("test", "cat")),
        ("val-big_dog", ("validation", "big_dog")),
        ("train", None),
        ("cat", None),
        ("_train", None),
    ],
)
def test_a_split_beside_another_word(name: str, parts: tuple[str, str] | None) -> None:
    assert split_affix(name) == parts


def test_labels_are_composed_and_trimmed() -> None:
    assert DECOMPOSED != COMPOSED
    assert normalize_label(f" {DECOMPOSED}\u00a0") == COMPOSED
    assert normalize_label("Cat  a") == "Cat  a"  # case and blanks inside are the person's
    assert normalize_label("  ") == "  "  # a folder of that name is a class all the same
    assert normalize_label("caf\udce9") == "caf\udce9"
    assert label_from_name(f"{DECOMPOSED}.7") == COMPOSED
    assert label_from_name(" .7") is None


def test_a_label_is_known_however_it_is_composed() -> None:
    assert match_label(f"{DECOMPOSED} ", ["dog", COMPOSED]) == COMPOSED
    assert match_label(COMPOSED, ["dog", DECOMPOSED]) == DECOMPOSED  # of an older run
    assert match_label("Dog", ["dog", COMPOSED]) is None


def test_labels_that_look_alike_are_grouped() -> None:
    labels = ["Cat", "cat", "hot dog", "Hot_Dog", "hot-dog", "Straße", "STRASSE", "ｃａｔ", "dog"]
    assert similar_labels(labels) == [
        ("Cat", "cat", "ｃａｔ"),
        ("hot dog", "Hot_Dog", "hot-dog"),
        ("Straße", "STRASSE"),
    ]
    assert similar_labels(["1", "-1", "10", "1-0", "1.0", "c", "c++"]) == []


@pytest.mark.parametrize("digits", ["①②", "²", "٣", "৪", "Ⅷ", "９"])
def test_digits_of_other_scripts_are_text(digits: str) -> None:
    assert natural_sorted([f"{digits}b", "10", "2", f"{digits}a"]) == [
        "2", "10", f"{digits}a", f"{digits}b",
    ]  # fmt: skip


def test_no_number_is_too_long() -> None:
    long = "9" * 5000
    assert natural_sorted([f"a{long}", "a10", f"a0{long}", "a2"]) == [
        "a2",
        "a10",
        f"a0{long}",
        f"a{long}",
    ]
