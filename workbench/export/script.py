"""A run as a plain Keras script: what a student would write, without the workbench. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.datasets.deep import Levels
from workbench.experiment.plan import Stage, plan_stages, steps_per_epoch
from workbench.experiment.spec import ExperimentSpec
from workbench.export.script_code import block, inside, listing, number, string
from workbench.export.script_images import changing, reading
from workbench.export.script_model import compile_source, model_source


@dataclass(frozen=True)
class ScriptFacts:
    """What a script needs to know beside the spec.

    Attributes:
        labels: in the order of the network's outputs.
        images: counts by train, validation and test.
        npz: True where the images lie in an npz file.
        name: of the script's file.
        precision: Keras's dtype policy that the run had.
        jit: whether steps were compiled with XLA.
        levels: the values that became 0 and 255 of images with 16 bits; None without such.
        came_to: what the run's evaluation told, in a line; "" where there was none.
    """

    labels: tuple[str, ...]
    images: Mapping[str, int]
    npz: bool = False
    name: str = "train.py"
    precision: str = "float32"
    jit: bool = False
    levels: Levels | None = None
    came_to: str = ""


def script(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    """The text of a script that trains the same network on the same images.

    Keras, numpy and Pillow are all that it needs. It is laid out as a formatter would. Beside it
    it expects a CSV of the same name with the columns path, label and split.
    """
    classes = len(facts.labels)
    parts = [
        reading(spec.data, facts.npz, facts.levels),
        *([changing(spec.augmentation)] if spec.augmentation.active else []),
        model_source(spec, classes),
        compile_source(spec, classes, facts.jit),
        *([_batches(spec)] if _has_batches(spec) else []),
        _train(spec, facts),
        _main(spec, facts),
        'if __name__ == "__main__":\n    main()',
    ]
    return "\n".join([_head(spec, facts), "", "", "\n\n\n".join(parts), ""])


def _head(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    return "\n".join(
        [_docstring(spec, facts), "", _imports(spec, facts.npz), "", _constants(spec, facts)]
    )


def _docstring(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    name = facts.name if re.fullmatch(r"[\w.-]+", facts.name, re.ASCII) else "THIS_SCRIPT.py"
    given, what = _given(facts)
    differs = ["- Images come in another order, and dropout draws other units."]
    if spec.augmentation.active:
        differs += ["- Images are changed at random in the same ways, with other draws."]
    if spec.base and spec.base.views:
        differs += [f"- The run kept {spec.base.views} looks at each image; here each is new."]
    if spec.base:
        differs += ["- The run computed once what is frozen; here it runs in every epoch."]
    if spec.training.shuffle == "blocks":
        differs += ["- The run shuffled in blocks, for the disk; here all images at once."]
    lines = [
        '"""Trains an image classifier with plain Keras, as a run of the workbench did.',
        "",
        f"    Usage: python {name} {given}",
        "",
        f"{given} is {what}.",
        "Needs: pip install keras tensorflow numpy pillow. Beside it lies a CSV of the same",
        "name, which tells each image's label and part.",
        *(["", f"The run came to: {facts.came_to}."] if facts.came_to else []),
        "",
        "What differs from the run, so that figures agree but for chance:",
        *differs,
        '"""',
    ]
    return "\n".join(lines)


def _given(facts: ScriptFacts) -> tuple[str, str]:
    """What the script is called with: its word in the usage, and what that is."""
    if facts.npz:
        return "FILE", "the .npz file of the images"
    return "FOLDER", "the folder that the paths of the CSV start at"


def _imports(spec: ExperimentSpec, npz: bool) -> str:
    turns = bool(spec.augmentation.rotation or spec.augmentation.shear)
    plain = ["csv", *(["math"] if turns else []), "sys"]
    return "\n".join(
        [
            *(f"import {name}" for name in plain),
            "from pathlib import Path",
            "",
            "import keras",
            "import numpy as np",
            "from keras import layers",
            f"from PIL import Image{'' if npz else ', ImageOps'}",
        ]
    )


def _constants(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    height, width = spec.data.image_size
    steps = steps_per_epoch(
        facts.images.get("train", 0), spec.training.batch_size, spec.training.steps_per_epoch
    )
    lines = [
        'TABLE = Path(__file__).with_suffix(".csv")',
        listing("LABELS = [", map(string, facts.labels)),
        f"HEIGHT, WIDTH, CHANNELS = {height}, {width}, {spec.data.channels}",
        f"BATCH_SIZE = {spec.training.batch_size}",
    ]
    if _needs_steps(spec):
        lines += [f"STEPS = {steps}  # of an epoch"]
    lines += [f"SEED = {spec.training.seed}"]
    if _has_batches(spec):
        lines += ["RANDOM = np.random.default_rng(SEED)"]
    return "\n".join(lines)


def _has_batches(spec: ExperimentSpec) -> bool:
    """Where batches are made by a class of the script's own."""
    return spec.augmentation.active or spec.training.steps_per_epoch is not None


def _needs_steps(spec: ExperimentSpec) -> bool:
    return _has_batches(spec) or spec.training.schedule == "cosine"


def _batches(spec: ExperimentSpec) -> str:
    look = "np.stack([change(image) for image in self.images[rows]])"
    images = look if spec.augmentation.active else "self.images[rows]"
    again = """
        # An epoch is longer than one pass: images come again, each pass shuffled anew.
        passes = -(-STEPS * BATCH_SIZE // count)
        orders = [RANDOM.permutation(count) for _ in range(passes)]
        self.order = np.concatenate(orders)[: STEPS * BATCH_SIZE]
    """
    once = "self.order = RANDOM.permutation(count)"
    return "\n".join(
        [
            block(f'''
        class Batches(keras.utils.PyDataset):
            """Training images by batches, in a new order in every epoch."""

            def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
                super().__init__()
                self.images, self.labels = images, labels
                self.on_epoch_end()

            def __len__(self) -> int:
                return STEPS

            def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
                rows = self.order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]
                batch = {images}
                return batch, self.labels[rows]

            def on_epoch_end(self) -> None:
                """Shuffles for the next epoch."""
                count = len(self.images)
        '''),
            inside(block(again) if spec.training.steps_per_epoch else once, 2),
        ]
    )


def _train(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    """The function `train`: one stage."""
    lines = [
        "def train(",
        "    model: keras.Model,",
        "    images: dict[str, np.ndarray],",
        "    labels: dict[str, np.ndarray],",
        *(["    trains: list[str],"] if spec.base else []),
        "    rate: float,",
        "    epochs: int,",
        ") -> None:",
        '    """One stage: what trains, a compile, and the epochs."""',
    ]
    if spec.base:
        lines += [
            "    for layer in model.layers:",
            "        layer.trainable = layer.name in trains",
        ]
    rate = "rate, epochs" if spec.training.schedule == "cosine" else "rate"
    lines += [f"    compile_model(model, {rate})"]
    if spec.training.class_weights == "balanced":
        lines += [
            "    # Images of rare classes count more.",
            '    counts = np.bincount(labels["train"].astype(int).ravel())',
            "    weights = {n: counts.sum() / len(counts) / c for n, c in enumerate(counts)}",
        ]
    return "\n".join([*lines, inside(_fit(spec, facts))])


def _fit(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    lines = ["model.fit("]
    if _has_batches(spec):
        lines += ['    Batches(images["train"], labels["train"]),']
    else:
        lines += ['    images["train"],', '    labels["train"],', "    batch_size=BATCH_SIZE,"]
    lines += ["    epochs=epochs,"]
    if facts.images.get("validation"):
        lines += [
            '    validation_data=(images["validation"], labels["validation"]),',
            "    validation_batch_size=BATCH_SIZE,",
        ]
    if callbacks := _callbacks(spec) if facts.images.get("validation") else []:
        lines += ["    callbacks=[", *(inside(one, 2) for one in callbacks), "    ],"]
    if spec.training.class_weights == "balanced":
        lines += ["    class_weight=weights,"]
    return "\n".join([*lines, "    verbose=2,", ")"])


def _callbacks(spec: ExperimentSpec) -> list[str]:
    training = spec.training
    mode = "max" if training.monitor == "val_accuracy" else "min"
    watched = f"    monitor={string(training.monitor)},\n    mode={string(mode)},\n"
    found = []
    if training.schedule == "plateau":
        found += [
            "# Half the learning rate after 3 epochs without gain.\n"
            f"keras.callbacks.ReduceLROnPlateau(\n{watched}"
            "    factor=0.5,\n    patience=3,\n    min_delta=0.0,\n),"
        ]
    if training.early_stopping or training.keep == "best":
        patience = str(training.early_stopping or "epochs")
        best = training.keep == "best"
        about = [f"ends after {patience} epochs without gain"] if training.early_stopping else []
        about += ["the best epoch's weights are kept"] if best else []
        words = "; ".join(about)
        found += [
            f"# {words[0].upper()}{words[1:]}.\n"
            f"keras.callbacks.EarlyStopping(\n{watched}"
            f"    patience={patience},\n    restore_best_weights={best},\n),"
        ]
    return found


def _main(spec: ExperimentSpec, facts: ScriptFacts) -> str:
    parts = [part for part in ("train", "validation", "test") if facts.images.get(part)]
    two = len(facts.labels) == 2
    targets = "np.array(numbers, np.float32)[:, None]" if two else "np.array(numbers)"
    measured = parts[-1] if parts[-1] != "train" else ""
    given, what = _given(facts)
    lines = [
        "def main() -> None:",
        '    """Reads the images, trains, measures, and saves the model beside the script."""',
        "    if len(sys.argv) != 2:",
        f'        usage = f"Usage: python {{sys.argv[0]}} {given}"',
        f'        sys.exit(f"{{usage}}   ({what})")',
        *(
            [f"    keras.config.set_dtype_policy({string(facts.precision)})"]
            if facts.precision != "float32"
            else []
        ),
        '    with TABLE.open(encoding="utf-8", errors="surrogateescape", newline="") as file:',
        "        rows = list(csv.DictReader(file))",
        "    images, labels = {}, {}",
        f"    for part in ({', '.join(map(string, parts))}{',' if len(parts) == 1 else ''}):",
        '        chosen = [row for row in rows if row["split"] == part]',
        '        paths = [row["path"] for row in chosen]',
        "        images[part] = load_images(Path(sys.argv[1]), paths)",
        '        numbers = [LABELS.index(row["label"]) for row in chosen]',
        f"        labels[part] = {targets}",
        "    model = build_model()",
    ]
    for stage in plan_stages(spec):
        lines += [inside(_stage(spec, stage))]
    if measured:
        lines += [] if measured == "test" else ["    # There are no test images."]
        lines += [
            f'    x, y = images["{measured}"], labels["{measured}"]',
            "    loss, accuracy = model.evaluate(x, y, batch_size=64, verbose=0)",
            f'    print(f"{measured} loss {{loss:.4f}}, accuracy {{accuracy:.4f}}")',
        ]
    return "\n".join([*lines, '    model.save(Path(__file__).with_suffix(".keras"))'])


def _stage(spec: ExperimentSpec, stage: Stage) -> str:
    rate, epochs = number(stage.learning_rate), stage.epochs
    if stage.trainable is None:
        return f"train(model, images, labels, rate={rate}, epochs={epochs})"
    about = "# The base is frozen; the head above it learns."
    if spec.model.strategy == "fine-tuning":
        about = (
            "# The head first: untrained, it would send large errors into what the base knows."
            if stage.index == 0
            else "# Fine-tuning: the base's upper part trains along, in small steps."
        )
    names = f"trains_{stage.index + 1}"
    return "\n".join(
        [
            about,
            listing(f"{names} = [", map(string, stage.trainable)),
            f"train(model, images, labels, {names}, rate={rate}, epochs={epochs})",
        ]
    )
