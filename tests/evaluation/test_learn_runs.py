"""Lessons with the real trainer on tiny images: the metrics are those of the trained networks."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from person import Person
from PIL import Image

from workbench.errors import UserError
from workbench.evaluation import lessons as lesson_runs
from workbench.evaluation.lesson_metrics import GRAY, correct_images, ring_activations, ring_means
from workbench.evaluation.lessons import LessonSetup, recompile_runs, run_variants, training_subset
from workbench.experiment.facts import DataFacts
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.lessons.catalogue import LESSONS, make_request
from workbench.lessons.variants import LessonInputs, Variant
from workbench.training.backends import Device
from workbench.training.data import TrainingData
from workbench.training.models import build_model
from workbench.worker.trials import MAX_IMAGES, learn, part_of_source

CPU = Device("cpu", "CPU")


def bars(images: int = 60) -> TrainingData:
    """Images of 8 x 8 with a bright bar at a height that depends on the label."""
    labels = np.arange(images) % 2
    pixels = np.random.default_rng(0).integers(0, 60, (images, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[2 + 3 * label] += 190
    rows = np.arange(images)
    split = {"train": rows[:36], "validation": rows[36:48], "test": rows[48:]}
    return TrainingData(pixels, labels.astype(np.int64), rows.astype(np.uint64), split, 2)


def spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [8, 8], "channels": 1},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [8]},
        "training": {"batch_size": 8, "epochs": 2, "learning_rate": 0.01, "keep": "last"},
    }
    return parse_spec(apply_settings(tree, settings), "test")


def run(
    name: str, variants: list[Variant], folder: Path, seeds: tuple[int, ...] = (1,)
) -> dict[str, Any]:
    steps: list[tuple[str, int, int]] = []
    made = LessonSetup(bars(), CPU, folder, progress=lambda *of: steps.append(of))
    runs = run_variants(LESSONS[name], variants, seeds, made)
    assert steps[-1][1] == steps[-1][2]
    assert json.loads(json.dumps(runs)) == runs
    assert not (folder / "checkpoints").exists()
    return runs


def test_a_seed_gives_the_same_metrics_after_any_other_run(tmp_path: Path) -> None:
    several = [Variant("a", spec(), 9), Variant("b", spec("model.dropout=0.5"), 9)]
    together = run("pooling", several, tmp_path, seeds=(1, 2))
    single = run("pooling", several[1:], tmp_path, seeds=(2,))
    assert [one["seed"] for one in together["b"]] == [1, 2]
    for one, other in zip(together["b"][1:], single["b"], strict=True):
        assert one["epochs"] == other["epochs"]
        assert one["right"] == other["right"]
        assert one["images"] == 18
        assert len(one["right"]["train"]) == 18
        assert len(one["right"]["measured"]) == 12
        assert one["accuracy"] == one["right"]["measured"].count("1") / 12
        assert one["epochs"][-1]["train"] == one["train"]  # measured alike, at the same moment


def test_shifts_begin_unmoved(tmp_path: Path) -> None:
    runs = run("translation", [Variant("dense", spec(), 9)], tmp_path)["dense"]
    for one in runs:
        assert one["shifts"]["pixels"] == [0, 1, 2, 3, 4, 5, 6]
        assert one["shifts"]["accuracy"][0] == pytest.approx(one["accuracy"])
        moved = sum(map(int, one["right"]["moved"])) / (8 * 12)
        assert one["shifts"]["accuracy"][2] == pytest.approx(moved)


def test_on_a_frozen_base_only_the_head_moves(tmp_path: Path) -> None:
    """Random weights: what trains is the same with any."""
    setting = LessonInputs("/x", DataFacts((32, 32), True, 3, 2, 60, 30, False), weights="random")
    own = LESSONS["preprocessing"].variants(setting)[0].spec
    changes = {"data": {"image_size": (32, 32)}, "training": {"epochs": 2}}
    small = own.model_copy(
        update={table: getattr(own, table).model_copy(update=c) for table, c in changes.items()}
    )
    grey = bars()
    pixels = np.repeat(grey.images.repeat(4, 1).repeat(4, 2), 3, axis=3)
    data = TrainingData(pixels, grey.labels, grey.contents, grey.rows, 2)
    variants, setup = [Variant("own", small, 9)], LessonSetup(data, CPU, tmp_path)
    (one,) = run_variants(LESSONS["preprocessing"], variants, (1,), setup)["own"]
    assert list(one["moved"]) == ["head"]
    assert one["moved"]["head"] > 0
    assert [epoch["train"] for epoch in one["epochs"]] == [None, None]
    assert len(one["epoch_seconds"]) == 2


def test_subsets_of_one_seed_are_nested() -> None:
    data = bars()
    few, more = (training_subset(data, count, seed=3).rows["train"] for count in (4, 9))
    assert set(few) < set(more) < set(data.rows["train"])
    assert np.bincount(data.labels[few]).tolist() == [4, 4]
    assert not np.array_equal(few, training_subset(data, 4, seed=4).rows["train"])
    everything = training_subset(data, 100, seed=3).rows["train"]
    assert everything.tolist() == data.rows["train"].tolist()


def test_correct_images() -> None:
    """With a network that depends only on the brightness of the upper bar."""
    image = keras.Input((8, 8, 1))
    upper = keras.layers.Cropping2D(((2, 5), (0, 0)))(image)
    mean = keras.layers.GlobalAveragePooling2D()(upper)
    dark = keras.layers.Rescaling(-0.1, offset=12.0)(mean)
    model = keras.Model(image, keras.layers.Activation("sigmoid")(dark))
    data = bars()
    assert correct_images(model, data, "test").tolist() == [1] * 12
    moved = correct_images(model, data, "test", down=3)  # label 0's bar is where label 1's was
    assert moved.tolist() == [int(label) for label in data.labels[data.rows["test"]]]


def test_rings_by_hand() -> None:
    plane = np.array([[1, 1, 1, 1], [1, 5, 7, 1], [1, 1, 1, 1.0]])
    assert ring_means(plane[None, :, :, None]) == [1.0, 6.0]
    assert ring_means(np.full((2, 1, 1, 3), 4.0)) == [4.0]


@pytest.mark.parametrize(("padding", "even"), [("valid", True), ("same", False)])
def test_zero_padding_shows_in_the_map_of_a_uniform_image(padding: str, even: bool) -> None:
    chosen = spec("model.filters=[4,4]", "model.pooling=false", f"model.padding={padding}")
    model = build_model(chosen, 2)
    rings = ring_activations(model, bars(), chosen)["even"]
    assert len(rings) == (2 if padding == "valid" else 4)
    assert (rings[0] == pytest.approx(rings[-1], rel=1e-5)) is even
    assert GRAY > 0


def test_freezing_with_and_without_a_compile() -> None:
    runs = recompile_runs(spec(), bars(), (1,))
    moved = {way: [run["moved"] > 0 for run in each] for way, each in runs.items()}
    assert moved == {
        "never frozen": [True],
        "frozen, compiled": [False],
        "frozen, compile forgotten": [True],
        "thawed, compiled": [True],
        "thawed, compile forgotten": [False],
        "frozen before the first step": [False],
    }
    never, forgotten = (runs[way] for way in ("never frozen", "frozen, compile forgotten"))
    assert [r["moved"] for r in never] == [r["moved"] for r in forgotten]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty images each of dark and light, 8 x 8."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 40), ("light", 200)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(level - 30, level + 30, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_only_a_part_of_a_folder_is_read(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most so many of each class, spread over those there are; the folder stays as it is."""
    before = sorted(photos.rglob("*"))
    data = DataSpec(source=str(photos), image_size=(8, 8), channels=1)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    whole = part_of_source(data, scratch, lambda phase, done, total: None)
    assert len(whole.images) == 60
    assert whole.images.shape[1:] == (8, 8, 1)
    assert whole.labels[whole.images.mean(axis=(1, 2, 3)) > 120].tolist() == [1] * 30
    monkeypatch.setitem(MAX_IMAGES, None, 50)
    fewer = part_of_source(data, scratch, lambda phase, done, total: None)
    assert np.bincount(fewer.labels).tolist() == [25, 25]
    assert sorted(photos.rglob("*")) == before


def test_the_job_returns_every_way(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson_runs, "WAYS", {"a way": lesson_runs.WAYS["frozen, compiled"]})
    facts = DataFacts((8, 8), True, 1, 2, 60, 30, False)
    experiment = LESSONS["recompile"]
    variants = experiment.variants(LessonInputs(str(photos), facts))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    request = json.loads(json.dumps(make_request(experiment, variants, (5,), scratch)))
    result = learn(request, lambda phase, done, total: None)
    assert result["images"] == {"train": 30, "validation": 12, "test": 18}
    assert result["runs"] == {"a way": [{"seed": 5, "asked": "frozen", "moved": 0.0}]}


@pytest.mark.worker
def test_a_person_tries_one(photos: Path, tmp_path: Path) -> None:
    person = Person(tmp_path)
    printed = person.types("lessons", "recompile", "--data", "photos", "--seeds", "7")
    assert "`trainable = False` had no effect, and Keras reported nothing." in " ".join(
        printed.split()
    )
    assert (
        printed.splitlines()[-8:]
        == person.types("lessons", "recompile", "--show").splitlines()[-8:]
    )
    kept = tmp_path / "saved_models" / ".learn"
    assert [path.suffix for path in kept.iterdir()] == [".json"]
    assert not (tmp_path / "data").exists()
    assert person.types("runs").startswith("No runs yet")


def test_weights_that_are_missing_are_named(photos: Path, tmp_path: Path) -> None:
    facts = DataFacts((8, 8), True, 1, 2, 60, 30, False)
    experiment = LESSONS["depth"]
    gone = tmp_path / "gone.h5"
    variants = experiment.variants(LessonInputs(str(photos), facts, weights=str(gone)))
    with pytest.raises(UserError, match=r"gone\.h5") as refused:
        learn(make_request(experiment, variants, (1,), tmp_path), lambda phase, done, total: None)
    assert "Random weights would not show" in refused.value.hint
