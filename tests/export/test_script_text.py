"""The script's text: formatted and clean for every kind of spec, safe with hostile labels."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorded_run import recorded_run

from workbench.errors import UserError
from workbench.experiment.metrics import SCORES
from workbench.experiment.toml import parse_spec
from workbench.export.run_data import read_run_data
from workbench.export.script import (
    ScriptInputs,
    image_table,
    script,
    script_facts,
    write_script,
)
from workbench.export.templating import listing, literal
from workbench.paths import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = {"source": "x", "image_size": [32, 32]}
MOVES = {"rotation": 40.0, "width_shift": 0.2, "shear": 11.5, "zoom": 0.2, "horizontal_flip": True}
CONVNET = {"strategy": "convnet", "filters": [4, 8]}
HEAD = {"strategy": "feature-extraction", "head": "flatten"}
SPECS: dict[str, dict[str, Any]] = {
    "convnet": {"data": DATA, "model": {**CONVNET, "dense_units": [8], "dropout": 0.5}},
    "dense": {
        "data": {**DATA, "channels": 1, "resize": "crop"},
        "model": {"strategy": "dense"},
        "training": {"keep": "last", "schedule": "cosine"},
    },
    "augmented": {
        "data": {**DATA, "resize": "pad", "decode": "fast"},
        "augmentation": {**MOVES, "vertical_flip": True, "brightness": 0.2, "contrast": 0.3},
        "model": {**CONVNET, "stride": 2, "padding": "same", "pooling": [True, False]},
        "training": {
            "schedule": "plateau", "class_weights": "balanced", "early_stopping": 4,
            "monitor": "val_accuracy",
        },
    },
    "book": {
        "data": DATA,
        "augmentation": {"brightness": 0.2, "fill": "black", "horizontal_flip": True},
        "model": CONVNET,
        "training": {"steps_per_epoch": 7, "optimizer": "sgd", "shuffle": "blocks"},
    },
    "contrast": {"data": DATA, "augmentation": {"contrast": 0.2}, "model": CONVNET},
    "fine": {
        "data": DATA,
        "base": {"name": "mobilenetv2-0.35", "trainable": ["top", "block_16"]},
        "model": {"strategy": "fine-tuning"},
    },
    "views": {
        "data": DATA,
        "base": {"name": "vgg16", "weights": "/a \"b'/\u202e.h5", "views": 3},
        "model": HEAD,
        "augmentation": MOVES,
    },
    **{
        name: {
            "data": DATA,
            "model": CONVNET,
            "training": {"monitor": f"val_{name}"},
            "evaluation": {"mirror": True},
        }
        for name in SCORES
    },
    "recipe": {
        "data": DATA,
        "base": {"name": "vgg16", "trainable": ["block4", "block5"]},
        "augmentation": {"random_crop": 0.35, "mixup": 0.2},
        "model": {"strategy": "fine-tuning"},
        "training": {
            "optimizer": "adamw", "weight_decay": 0.05, "layer_decay": 0.7, "unfreeze": "gradual",
            "schedule": "cosine", "warmup_epochs": 0.5, "clip_norm": 1.0, "ema": 0.99,
            "label_smoothing": 0.1, "class_weights": "balanced", "early_stopping": 3,
            "keep": "last",
        },
    },
    "mixed": {
        "data": DATA,
        "augmentation": {"mixup": 0.2, "cutmix": 1.0, "random_crop": 0.5, "fill": "black"},
        "model": CONVNET,
        "training": {
            "optimizer": "sgd", "momentum": 0.9, "warmup_epochs": 2.0, "label_smoothing": 0.1,
        },
    },
    "pasted": {
        "data": DATA,
        "augmentation": {"cutmix": 1.0},
        "model": CONVNET,
        "training": {"ema": 0.9, "monitor": "val_accuracy"},
    },
    "slower below": {
        "data": DATA,
        "base": {"name": "vgg16", "trainable": ["block5"]},
        "model": {"strategy": "fine-tuning"},
        "training": {"layer_decay": 0.5, "momentum": 0.0},
    },
    "rescaled": {
        "data": DATA,
        "base": {"name": "vgg19", "weights": "random", "preprocessing": "rescale"},
        "model": HEAD,
    },
    "lite": {
        "data": {"source": "x"}, "base": {"name": "efficientnet-lite2"}, "model": HEAD,
    },
    "lite file": {
        "data": {"source": "x"},
        "base": {"name": "efficientnet-lite0", "weights": "/w.pth"},
        "model": HEAD,
    },
    "lite random": {
        "data": {"source": "x"},
        "base": {"name": "efficientnet-lite0", "weights": "random"},
        "model": HEAD,
    },
    "convnext": {
        "data": {"source": "x"},
        "base": {"name": "convnext-tiny", "trainable": ["stage_3", "top"]},
        "model": {"strategy": "fine-tuning"},
    },
}  # fmt: skip
PROBES = {
    solver: {
        "data": DATA,
        "base": {"name": "vgg16"},
        "model": {"strategy": "linear-probe"},
        "probe": {"solver": solver},
        "training": {"class_weights": weights},
    }
    for solver, weights in (("ridge", "none"), ("logistic", "balanced"))
} | {
    "solved head": {
        "data": DATA,
        "base": {"name": "vgg16", "trainable": ["block5"]},
        "model": {"strategy": "fine-tuning", "head": "average", "dense_units": []},
        "training": {"head_start": "solved", "label_smoothing": 0.1, "monitor": "val_macro_f1"},
    },
}
STANDARD = set(sys.stdlib_module_names) | {"importlib.util"}
LABELS = [("dark", "light"), ("a", "b\"\n'''\u202e\udce9", "{x}", *(f"l{n}" for n in range(30)))]
IMAGES = [{"train": 42, "validation": 10, "test": 8}, {"train": 3, "validation": 4}, {"train": 3}]


def text_of(spec: str, labels: tuple[str, ...] = LABELS[0], **facts: Any) -> str:
    given = {"images": IMAGES[0], **facts}
    return script(parse_spec(SPECS[spec], "test"), ScriptInputs(labels, **given))


def test_every_kind_is_laid_out_and_clean(tmp_path: Path) -> None:
    count = 0
    for name in SPECS:
        for labels in LABELS:
            for images in IMAGES:
                for npz in (False, True):
                    text = text_of(name, labels, images=images, npz=npz, precision="mixed_float16")
                    (tmp_path / f"{name}{count}.py").write_text(text, encoding="ascii")
                    count += 1
    assert count == len(SPECS) * 12
    for name, probe in PROBES.items():
        for labels in LABELS:
            for grouped in (False, True):
                inputs = ScriptInputs(labels, IMAGES[0], grouped=grouped)
                text = script(parse_spec(probe, "test"), inputs)
                (tmp_path / f"{name}{count}.py").write_text(text, encoding="ascii")
                count += 1
    for words in (["format", "--check"], ["check"]):
        for config in ("--isolated", f"--config={REPOSITORY / 'pyproject.toml'}"):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *words, "--no-cache", config, str(tmp_path)],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stdout[:2000] + done.stderr


def test_a_solved_head_is_solved_once_and_then_all_trains() -> None:
    """On training images alone, and with labels that are one-hot for the smoothing."""
    text = script(
        parse_spec(PROBES["solved head"], "test"),
        ScriptInputs(("a", "b", "c"), IMAGES[0]),
    )
    main = text[text.index("def main()") :]
    assert [
        main.count(call) for call in ("    solve(model, images", "    train(model, images")
    ] == [1, 1]
    assert main.index("    solve(") < main.index("    train(")
    assert 'fitted = ["train"]' in text
    assert "numbers.argmax(axis=1)" in text


FOLDER = "the folder that contains the paths of the CSV"


@pytest.mark.parametrize(
    ("name", "npz", "usage", "given"),
    [
        ("train_birds-1.py", False, "train_birds-1.py FOLDER", FOLDER),
        ("birds.py", True, "birds.py FILE", "the .npz file of the images"),
        ('"""\n.py', False, "THIS_SCRIPT.py FOLDER", FOLDER),
    ],
)
def test_it_shows_its_usage(name: str, npz: bool, usage: str, given: str) -> None:
    text = text_of("convnet", name=name, npz=npz)
    word = usage.split()[1]
    assert f"\n    Usage: python {usage}\n\n{word} is {given}.\n" in text
    assert f'usage = f"Usage: python {{sys.argv[0]}} {word}"\n' in text
    assert f'sys.exit(f"{{usage}}   ({given})")' in text


def test_it_needs_only_keras_numpy_and_pillow() -> None:
    for name in SPECS:
        for npz in (False, True):
            found = set()
            for node in ast.walk(ast.parse(text_of(name, npz=npz))):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                if isinstance(node, ast.ImportFrom):
                    found.add(str(node.module))
            assert found - STANDARD == {"keras", "numpy", "PIL"}


def test_a_probe_on_convnext_is_refused() -> None:
    tree = {
        "data": {"source": "x"},
        "base": {"name": "convnext-tiny"},
        "model": {"strategy": "linear-probe"},
    }
    with pytest.raises(UserError, match="A linear probe on ConvNeXt Tiny cannot be written"):
        script(parse_spec(tree, "test"), ScriptInputs(LABELS[0], IMAGES[0]))


def test_the_folds_of_a_probe_keep_groups_together(workspace: Workspace) -> None:
    facts = replace(read_run_data(recorded_run(workspace)), spec=parse_spec(PROBES["ridge"], "a"))
    rows = [replace(row, pixel_hash=f"{n:032x}") for n, row in enumerate(facts.rows)]
    alone = replace(facts, rows=tuple(rows))
    assert not script_facts(alone, "a.py").grouped
    assert image_table(alone).splitlines()[0] == "path,label,split"
    rows[1] = replace(rows[1], group="p")
    rows[2] = replace(rows[2], group="p")
    rows[4] = replace(rows[4], pixel_hash=rows[2].pixel_hash)
    together = replace(facts, rows=tuple(rows))
    assert script_facts(together, "a.py").grouped
    table = image_table(together).splitlines()
    assert table[0] == "path,label,split,group"
    assert [line.split(",")[3] for line in table[1:7]] == ["0", "1", "1", "3", "1", "5"]
    trained = replace(together, spec=parse_spec(SPECS["convnet"], "a"))
    assert not script_facts(trained, "a.py").grouped


def test_labels_cannot_leave_their_literals() -> None:
    for labels in LABELS:
        tree = ast.parse(text_of("convnet", labels))
        (value,) = (
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LABELS"
        )
        assert tuple(ast.literal_eval(value)) == labels


@pytest.mark.parametrize(
    "value", ["", "a", '"', "'", "\"'", "\\", "\n\r\t\0", "\u202e", "\udce9", "\U0001f600", "é{}%"]
)
def test_a_literal_is_ascii_and_means_the_string(value: str) -> None:
    source = literal(value)
    assert source.isascii()
    assert "\n" not in source
    assert ast.literal_eval(source) == value


def test_a_long_list_takes_a_line_an_item() -> None:
    fits = "1" * (88 - len('NAMES = [""]'))
    assert listing("NAMES", [fits]) == f'NAMES = ["{fits}"]'
    assert listing("NAMES", [fits + "1"]) == f'NAMES = [\n    "{fits}1",\n]'
    assert listing("NAMES", ["abcdefgh"] * 9).count("\n") == 10


def test_only_actual_differences_are_listed() -> None:
    assert "other draws" not in text_of("convnet")
    assert "other draws" in text_of("augmented")
    assert "cached 3 views of each image" in text_of("views")
    assert "run in every epoch" in text_of("fine")
    assert "for the disk" in text_of("book")
    assert "test accuracy 0.9" in text_of("fine", run_result="test accuracy 0.9")
    early = "out of time after epoch 2 of 7"
    assert f"The run ended early, {early}; here all epochs" in text_of("fine", early_end=early)


def test_stages_follow_the_plan() -> None:
    text = text_of("fine")
    first, second = text.index("trains_1 ="), text.index("trains_2 =")
    assert 'trains_1 = ["dense1", "output"]' in text
    assert first < second
    assert "train(model, images, labels, trains_1, rate=0.001, epochs=10)" in text
    assert '"block_16_project",' in text[second:]
    assert "_BN" not in text  # stays frozen


def test_a_part_without_images_is_not_used() -> None:
    text = text_of("convnet", images={"train": 3})
    assert "validation" not in text.split('"""', 2)[2]
    assert "evaluate" not in text
    assert 'for part in ("train",):' in text
    assert "There are no test images" in text_of("convnet", images=IMAGES[1])


def test_script_and_table_are_written_together_and_replace_nothing_unasked(
    workspace: Workspace,
) -> None:
    facts, target = read_run_data(recorded_run(workspace)), workspace.root / "out" / "mine.py"
    made, table = write_script(facts, target)
    assert (made, table) == (target, target.with_suffix(".csv"))
    lines = table.read_text().splitlines()
    assert lines[:2] == ["path,label,split", "0-train.png,cat,train"]
    assert len(lines) == 11
    ast.parse(target.read_text())
    with pytest.raises(UserError, match=r"mine.py is there already"):
        write_script(facts, target)
    target.unlink()
    table.write_text("mine")
    with pytest.raises(UserError, match=r"mine.csv is there already"):
        write_script(facts, target)
    assert table.read_text() == "mine"
    assert not target.exists()
    write_script(facts, target, force=True)
    assert table.read_text().splitlines() == lines
    with pytest.raises(UserError, match=r"end it in .py"):
        write_script(facts, target.with_suffix(".csv"))
