"""A run as a plain Keras script: what a student would write, without the workbench.

The text is in `templates/script`: `train.py.j2` includes the others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.bases.weights import RANDOM
from workbench.datasets.sixteen_bit import Levels
from workbench.experiment.plan import plan_stages, steps_per_epoch
from workbench.experiment.sections import OPTIMIZERS
from workbench.experiment.spec import ExperimentSpec
from workbench.export.script_code import literal
from workbench.export.templating import render

_APPLICATIONS = {
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "mobilenetv2-0.35": "MobileNetV2",
    "mobilenetv2-1.0": "MobileNetV2",
}


@dataclass(frozen=True)
class ScriptInputs:
    """What a script needs beside the spec.

    Attributes:
        labels: in the order of the network's outputs.
        images: counts by train, validation and test.
        npz: True if the images are in an npz file.
        name: of the script's file.
        precision: Keras's dtype policy of the run.
        jit: whether steps were compiled with XLA.
        levels: the values that became 0 and 255 of images with 16 bits; None without such.
        run_result: test accuracy of the run, in one line; "" without evaluation.
    """

    labels: tuple[str, ...]
    images: Mapping[str, int]
    npz: bool = False
    name: str = "train.py"
    precision: str = "float32"
    jit: bool = False
    levels: Levels | None = None
    run_result: str = ""


def script(spec: ExperimentSpec, inputs: ScriptInputs) -> str:
    """Return a script that trains the same network on the same images.

    It needs only Keras, numpy and Pillow, and is laid out as a formatter would. Beside it, it
    expects a CSV of the same name with the columns path, label and split.
    """
    training, levels = spec.training, inputs.levels
    argument = ("FOLDER", "the folder that contains the paths of the CSV")
    if inputs.npz:
        argument = ("FILE", "the .npz file of the images")
    safe_name = re.fullmatch(r"[\w.-]+", inputs.name, re.ASCII)
    return render(
        "script/train.py.j2",
        spec=spec,
        name=inputs.name if safe_name else "THIS_SCRIPT.py",
        argument=argument[0],
        argument_is=argument[1],
        run_result=inputs.run_result,
        labels=inputs.labels,
        parts=[part for part in ("train", "validation", "test") if inputs.images.get(part)],
        npz=inputs.npz,
        levels=(levels.low, max(levels.high, levels.low + 1)) if levels else (),
        augmented=spec.augmentation.active,
        # Batches come from a class of the script's own.
        batches=spec.augmentation.active or training.steps_per_epoch is not None,
        steps=steps_per_epoch(
            inputs.images.get("train", 0), training.batch_size, training.steps_per_epoch
        ),
        stages=[
            {"trainable": stage.trainable, "rate": stage.learning_rate, "epochs": stage.epochs}
            for stage in plan_stages(spec)
        ],
        base=_base(spec),
        pooling=spec.model.convolutions.pooling,
        optimizer=OPTIMIZERS[training.optimizer].keras_class,
        precision=inputs.precision,
        jit=inputs.jit,
        plateau=training.schedule == "plateau",
        stopping=_stopping(training.early_stopping, training.keep),
        mode="max" if training.monitor == "val_accuracy" else "min",
    )


def _base(spec: ExperimentSpec) -> dict[str, Any]:
    if spec.base is None:
        return {}
    name, weights = spec.base.name, spec.base.weights
    return {
        "application": _APPLICATIONS[name],
        "alpha": name.rpartition("-")[2] if name.startswith("mobilenet") else "",
        "weights": "None" if weights == RANDOM else literal(weights),
        "preprocessing": spec.base_table.preprocessing,
    }


def _stopping(patience: int, keep: str) -> str:
    """Return the comment of the callback that stops early and keeps the best; "" without it."""
    parts = [f"stops after {patience} epochs without improvement"] if patience else []
    parts += ["the best epoch's weights are kept"] if keep == "best" else []
    comment = "; ".join(parts)
    return comment[:1].upper() + comment[1:]
