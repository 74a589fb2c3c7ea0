"""The model card: its content, and that strings from outside stay text."""

import json
import re
from pathlib import Path

import pytest
from recorded_run import recorded_run, spec_tree

from workbench.export.formats import FORMATS
from workbench.export.model_card import VerifiedExport, escape_markdown, model_card
from workbench.export.run_data import checked_spec, read_run_data
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

TRIED = tuple(VerifiedExport(one, 3e-8, 64, True) for one in FORMATS.values())


def card_of(run: RunFolder, labels: tuple[str, ...] = ("cat", "dog")) -> str:
    facts = read_run_data(run)
    return model_card(facts, checked_spec(facts), labels, TRIED)


def test_it_has_results_and_usage(workspace: Workspace) -> None:
    card = card_of(recorded_run(workspace))
    for words in (
        "# pets-1\n", "a convnet trained from scratch", "2 classes: cat, dog.",
        "raw, as float32 from 0 to 255, RGB, 8x8 pixels", "the probability of dog",
        "image = image.resize((8, 8), Image.Resampling.BILINEAR)\n",
        'keras.models.load_model("model.keras")', 'tf.saved_model.load("saved_model")',
        'onnxruntime.InferenceSession("model.onnx")', 'Interpreter("model.tflite")',
        "64 of the run's images differed from the original's by 3e-08 at most (allowed: 0.0001)",
        "Accuracy 0.5000 on 2 test images, between 0.1000 and 0.9000 with 95 % confidence.",
        "1 of these images are training images too", "| cat | 2 | 1 | 3 |", "| all | 4 | 2 | 4 |",
        "3 epochs of 3 at most, adam 0.001; trained: conv1, head; frozen: nothing",
        "augmentation: none", "keras 3.15.1",
    ):  # fmt: skip
        assert words in card, words


def test_without_test_images_its_accuracy_is_unknown(workspace: Workspace) -> None:
    card = card_of(recorded_run(workspace, measured=False))
    assert "Unknown: there were no test images" in card
    assert "There is no test accuracy." in card
    assert "Accuracy" not in card


def test_a_run_that_did_not_finish_is_marked(workspace: Workspace) -> None:
    run = recorded_run(workspace)
    assert "did not finish" not in card_of(run)
    lines = run.events_path.read_text().splitlines(keepends=True)
    diverged = lines[-1].replace('"finished"', '"failed"').replace("seconds", "kind")
    run.events_path.write_text("".join([*lines[:-1], diverged]))
    assert "The run did not finish, it is failed" in card_of(run)


def test_random_weights_and_augmentation_are_listed(workspace: Workspace) -> None:
    tree = spec_tree(
        "/home/ann/pets",
        base={"name": "vgg16", "weights": "random"},
        model={"strategy": "feature-extraction"},
        data={"source": "/home/ann/pets", "image_size": [32, 32], "resize": "crop"},
        augmentation={
            "rotation": 40.0,
            "horizontal_flip": True,
            "random_crop": 0.4,
            "mixup": 0.2,
        },
        training={"optimizer": "adamw", "weight_decay": 0.05, "ema": 0.99},
    )
    card = card_of(recorded_run(workspace, tree=tree, measured=False))
    assert "a head trained on the frozen base VGG16" in card
    assert "The base had random weights" in card
    assert "augmentation: rotation 40, horizontal flip, random crop 0.4, mixup 0.2" in card
    assert "options: weight decay 0.05, ema 0.99" in card
    assert "# the run: crop" in card


def test_it_contains_no_paths_of_the_machine(workspace: Workspace) -> None:
    tree = spec_tree(
        "/home/ann/pets",
        base={"name": "vgg16", "weights": "/home/ann/secret/own.h5"},
        model={"strategy": "feature-extraction"},
        data={"source": "/home/ann/pets", "image_size": [32, 32]},
    )
    card = card_of(recorded_run(workspace, tree=tree))
    assert "weights of the base: own.h5" in card
    assert "ann" not in card.replace("channels", "")
    assert str(workspace.root) not in card
    assert "box" not in card  # the machine's name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cat_1", "cat\\_1"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert\\(1\\)&lt;/script&gt;"),
        ("[x](http://y) | ![z](w) `q` *b* &amp; $m$ # ~", None),
        ("a\nb\u202ec\x1b", "a\\\\nb\\\\u202ec\\\\e"),
    ],
)
def test_strings_from_outside_are_no_markup(given: str, expected: str | None) -> None:
    shown = escape_markdown(given)
    if expected is not None:
        assert shown == expected
    bare = re.sub(r"\\.|&(lt|gt|amp);", "", shown)
    assert not set(bare) & set("<>[]()|`*_&$#~!")


def test_hostile_labels_stay_in_their_places(workspace: Workspace, tmp_path: Path) -> None:
    labels = ("a|b\n# c", "<img src=x onerror=y>")
    card = card_of(recorded_run(workspace, labels=labels), labels)
    assert "<img" not in card
    assert "\n# c" not in card
    assert card.count("\n# ") == 0
    assert "| a\\|b\\\\n\\# c | 2 | 1 | 3 |" in card


def test_scores_and_mirror_images_are_stated(workspace: Workspace) -> None:
    run = recorded_run(workspace)
    found = json.loads(run.results_path.read_text())
    found["auc"] = {"value": 0.9612, "interval": [0.93, 0.98]}
    run.results_path.write_text(json.dumps(found))
    facts = read_run_data(run)
    spec = checked_spec(facts)
    plain = model_card(facts, spec, ("cat", "dog"), TRIED)
    assert "with 95 % confidence.\n\n- AUC 0.9612 (0.930 to 0.980)\n\n" in plain
    assert "mirror" not in plain
    card = model_card(facts, spec.with_mirror(True), ("cat", "dog"), TRIED)
    assert "The model averages the probabilities of each image and its mirror image" in card
    assert "Its test results are without mirror images" in card
    found["mirrored"] = True
    run.results_path.write_text(json.dumps(found))
    facts = read_run_data(run)
    card = model_card(facts, spec.with_mirror(True), ("cat", "dog"), TRIED)
    assert "Measured on the mean of the probabilities" in card
    assert "Its test results" not in card
    card = model_card(facts, spec, ("cat", "dog"), TRIED)
    assert "Its test results are averages with mirror images, which it does not make." in card
