"""What makes cached outputs other ones: images, size, weights file, preprocessing, seed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from person import Person

from workbench.datasets.prepare import prepare
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.paths import Workspace
from workbench.worker.base import feature_store


def identity(person: Person, weights: Path | None, *settings: str) -> dict[str, Any]:
    tree = {
        "data": {"source": str(person.workspace / "photos"), "image_size": [32, 32]},
        "base": {"name": "vgg16"},
        "model": {"strategy": "feature-extraction"},
    }
    spec: ExperimentSpec = parse_spec(apply_settings(tree, settings), "test")
    prepared = prepare(spec.data, Workspace(person.workspace))
    store = feature_store(spec, prepared, weights, lambda *told: None, lambda message: None)
    assert store is not None
    return store.identity


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"one")
    return path


def test_the_same_is_the_same(person: Person, weights: Path) -> None:
    assert identity(person, weights) == identity(person, weights, "training.epochs=3")


def test_one_image_makes_another(person: Person, weights: Path) -> None:
    before = identity(person, weights)
    changed = person.workspace / "photos" / "dark" / "dark-3.png"
    changed.write_bytes((person.workspace / "photos" / "light" / "light-3.png").read_bytes())
    assert identity(person, weights) != before


@pytest.mark.parametrize(
    "setting",
    [
        "data.image_size=[40, 32]",
        "data.resize=crop",
        "base.preprocessing=rescale",
        "base.name=vgg19",
    ],
)
def test_settings_that_make_another(person: Person, weights: Path, setting: str) -> None:
    assert identity(person, weights, setting) != identity(person, weights)


def test_the_content_of_the_weights_counts_not_their_name(person: Person, weights: Path) -> None:
    before = identity(person, weights)
    moved = weights.rename(weights.with_name("moved.h5"))
    assert identity(person, moved) == before
    moved.write_bytes(b"two")
    assert identity(person, moved) != before


def test_random_weights_go_by_their_seed(person: Person) -> None:
    assert identity(person, None) != identity(person, None, "training.seed=2")


def test_without_a_base_there_is_none() -> None:
    spec = parse_spec({"data": {"source": "x"}, "model": {"strategy": "dense"}}, "test")
    prepared = cast(Any, SimpleNamespace(pack=Path("pack"), folder=Path()))
    assert feature_store(spec, prepared, None, lambda *told: None, lambda message: None) is None
