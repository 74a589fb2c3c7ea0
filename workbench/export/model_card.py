"""The model card: what a model is, what it was made from, what it is worth, how to use it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench import __version__
from workbench.bases.weights import RANDOM
from workbench.datasets.deep import Levels
from workbench.datasets.manifest import levels_of
from workbench.datasets.names import SPLITS
from workbench.experiment.spec import ExperimentSpec
from workbench.export.formats import BOUND, Format
from workbench.export.preparation import LABELS, PREPROCESSING
from workbench.export.run_data import RunFacts
from workbench.runs.confusion import worst_classes
from workbench.runs.freeze_check import FROZEN, groups_of, layers_of_stage
from workbench.runs.results import cautions
from workbench.runs.rows import number, text
from workbench.text import human_size, plural, safe_text

_MARKS = set("\\`*_[]{}()#|~!$^")  # of Markdown
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}  # what HTML would read
_MOST_LABELS = 200  # told one by one

_WHAT = {
    "dense": "dense layers alone",
    "convnet": "a convnet trained from nothing",
    "feature-extraction": "a head trained on the frozen base {base}",
    "fine-tuning": "the base {base}, its upper part trained along after the head",
}


@dataclass(frozen=True)
class Tried:
    """An exported file against the original.

    Attributes:
        difference: the largest of a probability.
        images: on how many it was tried.
        own: True where these were the run's images, False where they were made up.
    """

    format: Format
    difference: float
    images: int
    own: bool


def model_card(
    facts: RunFacts, spec: ExperimentSpec, labels: Sequence[str], tried: Sequence[Tried]
) -> str:
    """The card as Markdown. Every string from outside is escaped."""
    parts = [
        f"# {plain(facts.name)}",
        _about(facts, spec, labels),
        "## How to use it",
        _use(spec, labels, tried, levels_of(facts.rows)),
        "## What it is worth",
        _worth(facts),
        "## Limits",
        bullets(_limits(facts, spec)),
        "## Data",
        _data(facts, labels),
        "## How it was trained",
        bullets(_stages(facts, spec)),
        "## Versions",
        _versions(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(value: object, limit: int = 200) -> str:
    """A string from outside as Markdown that shows it and nothing else."""
    shown = (f"\\{c}" if c in _MARKS else _ENTITIES.get(c, c) for c in safe_text(value, limit))
    return "".join(shown)


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, whose cells are Markdown; the first column leans left, others right."""
    rule = ["---", *(["---:"] * (len(headers) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headers, rule, *rows))


def _about(facts: RunFacts, spec: ExperimentSpec, labels: Sequence[str]) -> str:
    base = spec.base_table.title if spec.base else ""
    what = _WHAT[spec.model.strategy].format(base=base)
    when = f" on {facts.ended}" if facts.ended else ""
    shown = ", ".join(plain(label) for label in labels[:_MOST_LABELS])
    more = f" and {len(labels) - _MOST_LABELS:,} more" if len(labels) > _MOST_LABELS else ""
    return (
        f"An image classifier: {what}. Trained{when} with "
        f"workbench {plain(__version__)}.\n\n"
        f"{plural(len(labels), 'class', 'classes')}: {shown}{more}."
    )


def _use(
    spec: ExperimentSpec, labels: Sequence[str], tried: Sequence[Tried], levels: Levels | None
) -> str:
    size = human_size(spec.data.image_size)
    color = "RGB" if spec.data.channels == 3 else "grey"
    means = (
        f"the probability of {plain(labels[1])}; that of {plain(labels[0])} is the rest"
        if len(labels) == 2
        else f"a probability for each label, in the order of `{LABELS}`"
    )
    lines = [
        f"Images go in raw, as float32 from 0 to 255, {color}, {size} pixels (height x width), "
        f"shape (n, {', '.join(map(str, spec.data.input_shape))}): scaling is inside. Out comes "
        f"{means}. `{PREPROCESSING}` tells how images were resized ({spec.data.resize}); both "
        "files are inside the model too.",
        _reading(spec),
    ]
    if levels:
        lines.append(
            "Images with 16 bits a channel are scaled before all else: the value "
            f"{levels.low:,} becomes 0 and {levels.high:,} becomes 255, others in proportion."
        )
    for one in tried:
        kind = "of the run's images" if one.own else "made-up images, for want of the run's own"
        lines += [
            f"### {one.format.title}: `{one.format.file}`",
            "```python\n" + "\n".join(one.format.loading) + "\n```",
            f"Labels and preprocessing inside: {one.format.labels_at}. Loaded in a fresh process, "
            f"its probabilities for {one.images} {kind} differed from the original's by "
            f"{one.difference:.2g} at most (allowed: {BOUND:g}).",
        ]
    return "\n\n".join(lines)


def _reading(spec: ExperimentSpec) -> str:
    """Python lines from a file to `images`."""
    height, width = spec.data.image_size
    mode, axes = ("RGB", "None") if spec.data.channels == 3 else ("L", "None, :, :, None")
    how = "" if spec.data.resize == "stretch" else f"  # the run: {spec.data.resize}"
    return f"""```python
import numpy as np
from PIL import Image, ImageOps
image = ImageOps.exif_transpose(Image.open("picture.jpg")).convert("{mode}")
image = image.resize(({width}, {height}), Image.Resampling.BILINEAR){how}
images = np.asarray(image, np.float32)[{axes}]
```"""


def _worth(facts: RunFacts) -> str:
    results = facts.results
    if results is None:
        return "Nobody knows: there were no test images, or the run was not measured."
    low, high = results.interval
    told = (
        f"Accuracy {results.accuracy:.4f} on {plural(results.images, f'{results.split} image')}, "
        f"between {low:.4f} and {high:.4f} with 95 % confidence."
    )
    classes = results.classes
    if len(classes) > _MOST_LABELS:
        told += f"\n\nThe {_MOST_LABELS} of {len(classes):,} labels with the lowest recall:"
        classes = tuple(worst_classes(classes, _MOST_LABELS))
    rows = [
        (plain(one.label), f"{one.images:,}", _share(one.precision), _share(one.recall))
        for one in classes
    ]
    return told + "\n\n" + markdown_table(("label", "images", "precision", "recall"), rows)


def _limits(facts: RunFacts, spec: ExperimentSpec) -> list[str]:
    results = facts.results
    found = [plain(line, 1000) for line in (cautions(results) if results else [])]
    random = spec.base is not None and spec.base.weights == RANDOM
    if random and not (results and results.random_weights):
        found.append("The base had random weights, as asked for.")
    if results is None:
        found.append("There is no test accuracy.")
    state = facts.summary.state
    if state.word != "finished":
        told = f" ({plain(state.told, 1000)})" if state.told else ""
        found.append(f"The run did not finish, it is {plain(state.word)}{told}.")
    found.append(
        "It was measured on images from the same source as those it learned from; on others "
        "expect less. Whatever an image shows, it answers with one of its labels."
    )
    return found


def _data(facts: RunFacts, labels: Sequence[str]) -> str:
    counts = Counter((row.label, row.split) for row in facts.rows)
    used = [split for split in SPLITS if any(counts[label, split] for label in labels)]
    name = plain(facts.summary.data)
    if not used:
        told = ", ".join(f"{n:,} {plain(split)}" for split, n in facts.history.images.items())
        return f"{name}: {told} images." if told else f"{name}."
    rows = [
        (plain(label), *(f"{counts[label, split]:,}" for split in used))
        for label in labels[:_MOST_LABELS]
    ]
    rest = labels[_MOST_LABELS:]
    sums = [(f"{len(rest):,} more", rest)] if rest else []
    rows += [
        (title, *(f"{sum(counts[one, split] for one in some):,}" for split in used))
        for title, some in [*sums, ("all", labels)]
    ]
    return f"{name}\n\n" + markdown_table(("label", *used), rows)


def _stages(facts: RunFacts, spec: ExperimentSpec) -> list[str]:
    told = []
    for index, stage in sorted(facts.history.stages.items()):
        epochs = sum(row.stage == index for row in facts.history.epochs)
        rate = number(stage.event.get("learning_rate"))
        how = f"{plain(text(stage.event.get('optimizer')))} {'' if rate is None else f'{rate:g}'}"
        told.append(
            f"{plain(stage.name)}: {plural(epochs, 'epoch')} of {stage.epochs} at most, "
            f"{how.strip()}{_frozen(facts, index)}"
        )
    if spec.base:
        told.append(f"weights of the base: {_weights(spec.base.weights)}")
        told.append(f"preprocessing of the base: {spec.base.preprocessing}")
    changes = [
        f"{name.replace('_', ' ')} {value:g}" if not isinstance(value, bool) else name
        for name, value in spec.augmentation
        if value and name != "fill"
    ]
    told.append(f"augmentation: {', '.join(changes).replace('_', ' ') or 'none'}")
    return told


def _weights(weights: str) -> str:
    """A file's name is told, not where it lay on somebody's disk."""
    return weights if weights in ("imagenet", RANDOM) else plain(weights.rpartition("/")[2])


def _frozen(facts: RunFacts, stage: int) -> str:
    started = facts.history.stages[stage].event
    groups = groups_of(layers_of_stage(started, facts.history.layers.get(stage)))
    frozen = [plain(g.name) for g in groups if g.weighted and g.together.requested == FROZEN]
    trained = [plain(g.name) for g in groups if g.weighted and g.together.requested != FROZEN]
    if not trained:
        return ""
    return f"; trained: {', '.join(trained)}; frozen: {', '.join(frozen) or 'nothing'}"


def _versions(facts: RunFacts) -> str:
    told = [f"{plain(name)} {plain(version)}" for name, version in facts.versions.items()]
    return ", ".join([f"workbench {plain(__version__)}", *told]) + "."


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
