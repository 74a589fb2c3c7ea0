"""From an experiment to what a worker is asked, and from its answer to results."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import Convolutions, convolution_stack
from workbench.experiment.toml import dump_spec, spec_tree
from workbench.files import write_atomic
from workbench.lessons.catalogue import Experiment
from workbench.lessons.results import Results
from workbench.lessons.variants import Setting, Variant
from workbench.text import human_size, plural

JOB = "learn"
MOST_SEEDS = 10


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "1,2,3".

    Raises:
        UserError: they are no whole numbers from 0 on, twice the same, or too many.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise UserError(
            f"--seeds takes whole numbers with commas between, such as 1,2,3; received {text!r}."
        )
    seeds = tuple(dict.fromkeys(map(int, parts)))
    if len(seeds) != len(parts) or len(seeds) > MOST_SEEDS:
        raise UserError(f"--seeds takes 1 to {MOST_SEEDS} different numbers; received {text!r}.")
    return seeds


def make_request(
    experiment: Experiment, variants: Sequence[Variant], seeds: Sequence[int], scratch: Path
) -> dict[str, Any]:
    """The request for the job `learn`.

    Args:
        scratch: an empty folder that the asker removes when the job has ended.
    """
    return {
        "experiment": experiment.name,
        "seeds": list(seeds),
        "scratch": str(scratch),
        "variants": [
            {"name": v.name, "spec": spec_tree(v.spec), "per_class": v.per_class} for v in variants
        ],
    }


def results_of(
    experiment: Experiment,
    variants: Sequence[Variant],
    setting: Setting,
    data: str,
    seeds: Sequence[int],
    answer: Mapping[str, Any],
    seconds: float,
) -> Results:
    """Results from what the worker answered.

    Args:
        data: the images as the person named them.
        seconds: that the job took.
    """
    return Results(
        experiment=experiment.name,
        data=data,
        source=setting.source,
        seeds=tuple(seeds),
        images=answer["images"],
        weights=setting.weights if experiment.on_base else "",
        seconds=seconds,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        facts={v.name: facts_of(v.spec, setting.facts.classes) for v in variants},
        runs={name: tuple(runs) for name, runs in answer["runs"].items()},
    )


def facts_of(spec: ExperimentSpec, classes: int) -> dict[str, Any]:
    """What arithmetic tells of a network: parameters; of a convnet also sizes, receptive field."""
    facts: dict[str, Any] = {"parameters": sum(row.parameters for row in layer_rows(spec, classes))}
    if spec.model.strategy == "convnet":
        rows = convolution_stack(spec.data.input_shape, spec.model.convolutions)
        shapes = [spec.data.input_shape, *(row.output_shape for row in rows)]
        facts["sizes"] = " > ".join(human_size(shape) for shape in shapes)
        facts["receptive_field"] = receptive_field(spec.model.convolutions)
    return facts


def receptive_field(blocks: Convolutions) -> int:
    """Pixels of the image's side that one value of the last map depends on."""
    field, step = 1, 1
    for pooled in blocks.pooling:
        field += (blocks.kernel_size - 1) * step
        step *= blocks.stride
        if pooled:
            field += step
            step *= 2
    return field


def write_specs(folder: Path, experiment: Experiment, variants: Sequence[Variant]) -> list[Path]:
    """Writes the spec of every variant as TOML; returns the files.

    Raises:
        UserError: a file of that name is there.
        OSError: the folder cannot be written.
    """
    names = [v.name.replace("/", "-").replace(",", "").replace(" ", "-") for v in variants]
    paths = [folder / f"{experiment.name}-{name}.toml" for name in names]
    for path in paths:
        if path.exists():
            raise UserError(f"{path} is there already.", "Name another folder with --specs DIR.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, variant in zip(paths, variants, strict=True):
        about = (
            f"# {experiment.title}: {variant.name}.\n"
            f"# workbench learn trains it on {plural(variant.per_class, 'image')} a class of the "
            "training part.\n"
        )
        write_atomic(path, about + dump_spec(variant.spec))
    return paths
