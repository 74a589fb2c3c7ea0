"""Runs on a base with real workers: cached features, refused weights, real images if present."""

import json

import pytest
from person import REPOSITORY, Person

pytestmark = pytest.mark.worker

# 32 x 32 is the smallest size that the base takes; the weights are random, as asked for.
SMALL = (
    "--data", "photos",
    "--base", "mobilenetv2-0.35",
    "--set", "data.image_size=[32, 32]",
    "--set", "training.epochs=1",
)  # fmt: skip
RANDOM = ("--weights", "random")
CACHED = "runs once for"
SHARED = REPOSITORY.parent / "shared"
IMAGES = SHARED / "data" / "cats_dogs_flat"
WEIGHTS = SHARED / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


def test_prefix_is_computed_once_and_layers_are_checked(person: Person) -> None:
    fine_tuning = (
        "train",
        "--preset",
        "fine-tuning",
        *SMALL,
        *RANDOM,
        "--set",
        "training.head_epochs=1",
        "--set",
        "augmentation.horizontal_flip=false",
        "--set",
        "augmentation.random_crop=0",
    )
    first = person.types(*fine_tuning, "--name", "first")
    assert "note   The base has random weights, as asked for." in first
    assert first.count(CACHED) == 2  # at two depths
    assert "The base had random weights, as asked for." in first

    output = person.types("layers", "first")
    assert "stage 1  head first, after epoch 1  random weights" in output
    assert "stage 2  head and block_14, block_15, block_16, top" in output
    assert "ERROR" not in output
    results = json.loads((person.workspace / "saved_models" / "first" / "results.json").read_text())
    assert results["weights"] == "random"
    for stage in results["layers"]:
        assert all(row["moved"] == 0 for row in stage if row["requested"] == "frozen")
        assert all(row["compiled"] == row["requested"] for row in stage)
    assert "fine-tuning (random weights)" in person.types("runs")

    # What is lost is computed again: a share of it in advance, the rest with a helper.
    data = person.workspace / "data" / "photos"
    kept = {path.name: path.read_bytes() for path in data.glob("features-*.npy")}
    lost = [name for name, content in kept.items() if len(content) == max(map(len, kept.values()))]
    (data / lost[0]).unlink()
    output = person.types("features", *fine_tuning[1:], "--shard", "1/2")
    assert "32 images passed the base; the features are kept in data/photos." in output
    assert "10 images of other shares have not passed it yet." in output
    again = person.types(*fine_tuning, "--name", "again", "--set", "base.feature_processes=2")
    assert again.count(CACHED) == 1
    assert "The prefix resumes: 32 of 42 images have passed it before." in again
    assert {path.name: path.read_bytes() for path in data.glob("features-*.npy")} == kept
    assert person.epochs("again") == person.epochs("first")
    other = ("train", "--preset", "feature-extraction", *SMALL, *RANDOM)
    assert person.types(*other, "--set", "base.preprocessing=rescale").count(CACHED) == 2


def test_invalid_weights_are_refused(person: Person) -> None:
    extraction = ("train", "--preset", "feature-extraction", *SMALL)
    page = person.workspace / "page.h5"
    page.write_text("<html>please log in</html>")
    refused = person.types(*extraction, "--weights", "page.h5", expect=2)
    assert "page.h5 is not a weights file" in refused
    assert page.read_text() == "<html>please log in</html>"
    missing = person.types(*extraction, "--weights", "none.h5", expect=2)
    assert "There is no file of weights" in missing
    assert "none.h5" in missing
    assert not (person.workspace / "saved_models").exists()


def test_plan_is_printed_before_training(person: Person) -> None:
    output = person.types("plan", "--preset", "fine-tuning", *SMALL, *RANDOM)
    assert "fine-tuning: MobileNetV2 (alpha 0.35) with random weights at 32x32x3" in output
    assert "stage 1  solve the head: at once" in output
    assert "stage 2  head and block_14, block_15, block_16, top: up to 1 epoch" in output
    assert not (person.workspace / "saved_models").exists()


@pytest.mark.skipif(not (IMAGES.is_dir() and WEIGHTS.is_file()), reason="no real images here")
def test_feature_extraction_classifies_cats_and_dogs(person: Person) -> None:
    """200/50/50 images a class: at least 90 %."""
    person.types(
        "train", "--preset", "feature-extraction", "--data", str(IMAGES),
        "--base", "mobilenetv2-0.35", "--weights", str(WEIGHTS),
        "--set", "data.split.train=200", "--set", "data.split.validation=50",
        "--set", "data.split.test=50", "--name", "real",
    )  # fmt: skip
    results = person.workspace / "saved_models" / "real" / "results.json"
    assert json.loads(results.read_text())["accuracy"] >= 0.90
