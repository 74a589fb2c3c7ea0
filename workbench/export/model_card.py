"""What accompanies an exported model: its card, its labels, and how to prepare images.

The card says what a model is, how to use it, its test results, data, training and limits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench import __version__
from workbench.bases.architectures import BASES
from workbench.bases.published import weights_file
from workbench.bases.weights import IMAGENET, RANDOM
from workbench.datasets.manifest import manifest_levels
from workbench.datasets.sixteen_bit import FULL, Levels
from workbench.experiment.facts import count_images, list_splits
from workbench.experiment.sections import SPLITS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stage_titles import stage_title
from workbench.experiment.training_section import TrainingSpec
from workbench.export.formats import MAX_DIFFERENCE, ExportFormat
from workbench.export.run_data import RunData, class_table
from workbench.export.templating import render
from workbench.messages import tr
from workbench.runs.event_text import describe_cross_validation
from workbench.runs.freeze_check import FROZEN, group_by_block, layers_of_stage
from workbench.runs.history import StageRow
from workbench.runs.results import caveats
from workbench.runs.score import format_scores
from workbench.text import format_shape, plural, safe_text
from workbench.words import shown

_PREPROCESSING = {"own": tr("its own"), "rescale": "1/255"}
CARD, LABELS, PREPROCESSING = "README.md", "labels.txt", "preprocessing.json"
_MARKS = set("\\`*_[]{}()#|~!$^")  # of Markdown
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}  # what HTML would read
_MAX_LABELS = 200  # listed one by one
_STRATEGIES = {
    "dense": tr("dense layers only"),
    "convnet": tr("a convnet trained from scratch"),
    "linear-probe": tr("a linear classifier of the frozen base {base}"),
    "feature-extraction": tr("a head trained on the frozen base {base}"),
    "fine-tuning": tr("the base {base}, its upper part fine-tuned after the head"),
}


@dataclass(frozen=True)
class VerifiedExport:
    """An exported file whose predictions were compared with the original's.

    Attributes:
        difference: the largest difference of a probability.
        images: number of images compared.
        own: True for images of the run, False for made-up ones.
    """

    format: ExportFormat
    difference: float
    images: int
    own: bool


def model_card(
    data: RunData, spec: ExperimentSpec, labels: Sequence[str], exports: Sequence[VerifiedExport]
) -> str:
    """Return the card as Markdown. Every string from outside is escaped."""
    two, size = len(labels) == 2, spec.data.image_size
    listed, versions = labels[:_MAX_LABELS], {"workbench": __version__, **data.versions}
    levels = manifest_levels(data.rows)
    return render(
        "model_card.md.j2",
        name=escape_markdown(data.name),
        what=_STRATEGIES[spec.model.strategy].format(
            base=spec.base_table.title if spec.base else ""
        ),
        ended=data.ended,
        version=escape_markdown(__version__),
        class_count=plural(len(labels), "class", "classes"),
        labels=[escape_markdown(label) for label in listed],
        more_labels=f"{len(labels) - len(listed):,}" if len(labels) > len(listed) else "",
        color="RGB" if spec.data.channels == 3 else tr("grey"),
        size=format_shape(size),
        height=size[0],
        width=size[1],
        channels=spec.data.channels,
        input_shape=spec.data.input_shape,
        output=(
            tr(
                "the probability of {second}; that of {first} is the rest",
                first=escape_markdown(labels[0]),
                second=escape_markdown(labels[1]),
            )
            if two
            else tr("a probability for each label, in the order of `{file}`", file=LABELS)
        ),
        preprocessing_file=PREPROCESSING,
        resize=spec.data.resize,
        levels=(f"{levels.low:,}", f"{levels.high:,}") if levels else (),
        exports=[_export(one) for one in exports],
        max_difference=f"{MAX_DIFFERENCE:g}",
        mirrored=spec.evaluation.mirror,
        limits=_limits(data, spec),
        stages=_stages(data, spec),
        versions=[f"{escape_markdown(k)} {escape_markdown(v)}" for k, v in versions.items()],
        **_results(data),
        **_data(data, labels),
    )


def escape_markdown(value: object, limit: int = 200) -> str:
    """Return a string from outside as Markdown that shows it literally."""
    escaped = (f"\\{c}" if c in _MARKS else _ENTITIES.get(c, c) for c in safe_text(value, limit))
    return "".join(escaped)


def _export(one: VerifiedExport) -> dict[str, object]:
    return {
        "title": one.format.title,
        "file": one.format.file,
        "loading": one.format.loading,
        "labels_at": one.format.labels_at,
        "images": one.images,
        "own": one.own,
        "difference": f"{one.difference:.2g}",
    }


def _results(data: RunData) -> dict[str, object]:
    results = data.results
    if results is None:
        return {"accuracy": ""}
    caption, classes = class_table(results, _MAX_LABELS)
    return {
        "accuracy": f"{results.accuracy:.4f}",
        "measured_on": count_images(results.images, results.split),
        "interval": [f"{end:.4f}" for end in results.interval],
        "scores": [f"{title} {score}" for title, score in format_scores(results.scores)],
        "measured_mirrored": results.mirrored,
        "class_caption": caption,
        "class_rows": [(escape_markdown(label), *metrics) for label, *metrics in classes],
    }


def _limits(data: RunData, spec: ExperimentSpec) -> list[str]:
    results, state = data.results, data.summary.state
    found = [escape_markdown(line, 1000) for line in (caveats(results) if results else [])]
    random = spec.base is not None and spec.base.weights == RANDOM
    if random and not (results and results.random_weights):
        found.append(tr("The base had random weights, as requested."))
    if results is None:
        found.append(tr("There is no test accuracy."))
    elif results.mirrored != spec.evaluation.mirror:
        found.append(
            tr("Its test results are without mirror images, which it averages itself.")
            if spec.evaluation.mirror
            else tr("Its test results are averages with mirror images, which it does not make.")
        )
    if state.phase != "finished":
        detail = f" ({escape_markdown(state.description, 1000)})" if state.description else ""
        found.append(
            tr(
                "The run did not finish, it is {phase}{detail}.",
                phase=escape_markdown(shown(state.phase)),
                detail=detail,
            )
        )
    found.append(
        tr(
            "It was evaluated on images from the same source as its training "
            "images; on others expect less. Whatever an image shows, the "
            "prediction is one of its labels."
        )
    )
    return found


def _data(data: RunData, labels: Sequence[str]) -> dict[str, object]:
    """Return images by label and split, else their numbers from the events."""
    counts = Counter((row.label, row.split) for row in data.rows)
    used = [split for split in SPLITS if any(counts[label, split] for label in labels)]
    name = escape_markdown(data.summary.data)
    if not used:
        images = escape_markdown(list_splits(data.history.images), 1000)
        text = tr("{name}: {images} images.", name=name, images=images) if images else f"{name}."
        return {"data": text, "data_rows": ()}
    listed, rest = labels[:_MAX_LABELS], labels[_MAX_LABELS:]
    groups = [(escape_markdown(label), [label]) for label in listed]
    groups += [(tr("{count:,} more", count=len(rest)), list(rest))] if rest else []
    groups += [(tr("all"), list(labels))]
    rows = [
        (title, *(f"{sum(counts[label, split] for label in group):,}" for split in used))
        for title, group in groups
    ]
    return {"data": name, "data_headers": (tr("label"), *map(shown, used)), "data_rows": rows}


# Of the training, listed where they are on.
_OPTIONS = (
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "clip_norm",
    "ema",
    "label_smoothing",
    "layer_decay",
)


def _stages(data: RunData, spec: ExperimentSpec) -> list[str]:
    lines = [_stage(data, stage) for _, stage in sorted(data.history.stages.items())]
    if spec.base:
        lines.append(tr("weights of the base: {weights}", weights=_weights(spec)))
        lines.append(
            tr(
                "preprocessing of the base: {preprocessing}",
                preprocessing=_PREPROCESSING[spec.base.preprocessing],
            )
        )
    changes = [
        shown(name) if isinstance(value, bool) else f"{shown(name)} {value:g}"
        for name, value in spec.augmentation
        if value and name != "fill"
    ]
    options = [
        f"{shown(name)} {getattr(spec.training, name):g}"
        for name in _OPTIONS
        if getattr(spec.training, name) != TrainingSpec.model_fields[name].default
    ]
    if options:
        lines.append(tr("options: {options}", options=", ".join(options)))
    return [*lines, tr("augmentation: {changes}", changes=", ".join(changes) or tr("none"))]


def _stage(data: RunData, stage: StageRow) -> str:
    """Return epochs, optimizer, and what was trained and frozen."""
    epochs = sum(row.stage == stage.index and row.epoch > 0 for row in data.history.epochs)
    rate = stage.started.learning_rate
    optimizer = escape_markdown(stage.started.optimizer)
    optimizer = f"{optimizer} {'' if rate is None else f'{rate:g}'}".strip()
    how = tr(
        "{epochs} of {most} at most, {optimizer}",
        epochs=plural(epochs, "epoch"),
        most=stage.epochs,
        optimizer=optimizer,
    )
    if stage.started.is_solved:
        how = describe_cross_validation(data.history.cross_validated.get(stage.index))
    line = f"{escape_markdown(stage_title(stage.name))}: {how}"
    layers = layers_of_stage(stage.started, data.history.layers.get(stage.index))
    names: dict[bool, list[str]] = {True: [], False: []}
    for group in group_by_block(layers):
        if group.with_weights:
            names[group.combined.requested == FROZEN].append(escape_markdown(group.name))
    if names[False]:
        return tr(
            "{line}; trained: {trained}; frozen: {frozen}",
            line=line,
            trained=", ".join(names[False]),
            frozen=", ".join(names[True]) or tr("nothing"),
        )
    return line


def _weights(spec: ExperimentSpec) -> str:
    """Return the weights of the base: a published file, or one's own without its private folder."""
    assert spec.base is not None
    weights = spec.base.weights
    if weights == RANDOM:
        return weights
    if weights != IMAGENET:
        return escape_markdown(weights.rpartition("/")[2])
    file, info = weights_file(spec.base.name, spec.data.image_size), BASES[spec.base.name]
    source = tr("package {name}", name=file.package) if file.package else "keras.applications"
    text = f"{weights}, {escape_markdown(file.name)}, {source}"
    return f"{text}, {info.licence}" if info.licence else text


def preprocessing(
    spec: ExperimentSpec, labels: Sequence[str], levels: Levels | None = None
) -> dict[str, Any]:
    """Return how to prepare an image for the model, and the meaning of its output.

    Args:
        spec: of the run.
        labels: in the order of the outputs.
        levels: the values that become 0 and 255 of images with 16 bits a channel.
    """
    height, width = spec.data.image_size
    two = len(labels) == 2
    scale = levels or FULL
    return {
        "image_size": {"height": height, "width": width},
        "channels": spec.data.channels,
        "color": "RGB" if spec.data.channels == 3 else "grey, ITU-R 601-2 luma",
        "resize": spec.data.resize,
        "decode": spec.data.decode,
        "interpolation": "bilinear, over all pixels that shrink into one (Pillow)",
        "orientation": "EXIF orientation applied",
        "transparency": "laid over white",
        "sixteen_bits": {"becomes_0": scale.low, "becomes_255": scale.high},
        "input": {
            "name": "image",
            "shape": [None, height, width, spec.data.channels],
            "dtype": "float32",
            "range": [0, 255],
            "scaling": "none: rescaling is inside the model",
        },
        "output": {
            "shape": [None, 1 if two else len(labels)],
            "meaning": "probability of the second label" if two else "a probability a label",
            "mirrored": spec.evaluation.mirror,
        },
        "labels": list(labels),
    }


def format_labels(labels: Sequence[str]) -> str:
    """Return a label a line; control characters are escaped, so that a line is a label."""
    return "".join(f"{safe_text(label, 1000)}\n" for label in labels)
