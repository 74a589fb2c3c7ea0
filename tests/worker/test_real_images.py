"""Cats and dogs with real ImageNet weights, if they are beside the repository."""

import json
from pathlib import Path
from statistics import median

import pytest
from person import REPOSITORY, Person

SHARED = REPOSITORY.parent / "shared"
IMAGES = SHARED / "data" / "cats_dogs_flat"
WEIGHTS = SHARED / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"

pytestmark = [
    pytest.mark.worker,
    pytest.mark.skipif(not (IMAGES.is_dir() and WEIGHTS.is_file()), reason="no real images here"),
]


def format_accuracy(person: Person, run: str) -> float:
    results: Path = person.workspace / "saved_models" / run / "results.json"
    return float(json.loads(results.read_text())["accuracy"])


def test_feature_extraction_classifies_cats_and_dogs(person: Person) -> None:
    """200/50/50 images a class: at least 90 % as the median of three seeds."""
    for seed in (1, 2, 3):
        person.types(
            "train", "--preset", "feature-extraction", "--data", str(IMAGES),
            "--base", "mobilenetv2-0.35", "--weights", str(WEIGHTS),
            "--set", "data.split.train=200", "--set", "data.split.validation=50",
            "--set", "data.split.test=50", "--set", f"training.seed={seed}",
            "--name", f"seed-{seed}",
        )  # fmt: skip
    assert median(format_accuracy(person, f"seed-{seed}") for seed in (1, 2, 3)) >= 0.90
