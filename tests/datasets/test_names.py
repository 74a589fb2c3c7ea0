"""What names of folders and labels mean: splits, labels, and an order that no name can break."""

import unicodedata

import pytest

from workbench.datasets.names import (
    flat_label,
    known_label,
    look_alikes,
    naturally,
    plain_label,
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
    assert plain_label(f" {DECOMPOSED}\u00a0") == COMPOSED
    assert plain_label("Cat  a") == "Cat  a"  # case and blanks inside are the person's
    assert plain_label("  ") == "  "  # a folder of that name is a class all the same
    assert plain_label("caf\udce9") == "caf\udce9"
    assert flat_label(f"{DECOMPOSED}.7") == COMPOSED
    assert flat_label(" .7") is None


def test_a_label_is_known_however_it_is_composed() -> None:
    assert known_label(f"{DECOMPOSED} ", ["dog", COMPOSED]) == COMPOSED
    assert known_label(COMPOSED, ["dog", DECOMPOSED]) == DECOMPOSED  # of an older run
    assert known_label("Dog", ["dog", COMPOSED]) is None


def test_labels_that_look_alike_are_grouped() -> None:
    labels = ["Cat", "cat", "hot dog", "Hot_Dog", "hot-dog", "Straße", "STRASSE", "ｃａｔ", "dog"]
    assert look_alikes(labels) == [
        ("Cat", "cat", "ｃａｔ"),
        ("hot dog", "Hot_Dog", "hot-dog"),
        ("Straße", "STRASSE"),
    ]
    assert look_alikes(["1", "-1", "10", "1-0", "1.0", "c", "c++"]) == []


@pytest.mark.parametrize("digits", ["①②", "²", "٣", "৪", "Ⅷ", "９"])
def test_digits_of_other_scripts_are_text(digits: str) -> None:
    assert naturally([f"{digits}b", "10", "2", f"{digits}a"]) == [
        "2", "10", f"{digits}a", f"{digits}b",
    ]  # fmt: skip


def test_no_number_is_too_long() -> None:
    long = "9" * 5000
    assert naturally([f"a{long}", "a10", f"a0{long}", "a2"]) == [
        "a2",
        "a10",
        f"a0{long}",
        f"a{long}",
    ]
