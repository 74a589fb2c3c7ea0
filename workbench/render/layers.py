"""Layers and stages as text, and lines that begin with a label. Pure."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from workbench.bases.kinds import POOLS, SQUARE_WINDOWS
from workbench.experiment.plan import Stage
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import Convolutions
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.runs.events import StageStarted
from workbench.runs.freeze_check import Layer, group_by_block
from workbench.runs.history import History, StageRow
from workbench.text import cell_width, format_shape, pad_cells, plural, safe_text

NAME = 11  # cells of a label


def describe_shape_change(
    layer: Layer, below: tuple[int, ...], stack: Convolutions | None = None
) -> str:
    """Return how a layer changes the size of its input; "" if it does not, or if unknown.

    Args:
        layer: the layer.
        below: shape of its input, without the batch.
        stack: windows, stride and padding of a convnet without a base.
    """
    after = layer.output_shape
    if len(below) == len(after) == 3 and layer.kind in (*SQUARE_WINDOWS, *POOLS):
        sizes = tr(
            "{before} becomes {after}",
            before=format_shape(below[:2]),
            after=format_shape(after[:2]),
        )
        if layer.kind == "max pooling":
            window = tr("each 2x2") if stack else tr("each window")
            return tr("{sizes}: the strongest of {window} is kept", sizes=sizes, window=window)
        return _convolved(sizes, below, after, stack)
    if layer.kind == "flatten":
        return tr(
            "the {below} map becomes {after:,} numbers in a row",
            below=format_shape(below),
            after=after[0],
        )
    if layer.kind == "average pooling" and len(after) == 1:
        return tr(
            "the {below} map becomes its {after:,} averages, one a channel",
            below=format_shape(below),
            after=after[0],
        )
    if layer.kind == "dense" and len(below) == len(after) == 1:
        return tr(
            "{below:,} inputs x {after:,} units, and a bias for each unit",
            below=below[0],
            after=after[0],
        )
    return ""


def input_shape_of(layers: Sequence[Layer], name: str, image: tuple[int, ...]) -> tuple[int, ...]:
    """Return the input shape of the layer of this name, in a network without branches."""
    before = image
    for layer in layers:
        if layer.name == name:
            return before
        before = layer.output_shape
    return ()


def describe_block(layers: Sequence[Layer], name: str) -> str:
    """Return how many layers a block has, and its freeze check."""
    group = next((group for group in group_by_block(layers) if group.name == name), None)
    if group is None:
        return ""
    note = group.verdict
    words = tr(
        "{name}  {layers}, {count} with weights",
        name=name,
        layers=plural(len(group.layers), "layer"),
        count=len(group.with_weights),
    )
    return safe_text(words + (f", {note.message}" if note else ""), 200)


def describe_network(spec: ExperimentSpec) -> str:
    """Return a network as text: VGG16 at 150x150x3, ImageNet weights."""
    size = format_shape(spec.data.input_shape)
    if spec.base is None:
        return tr("{network} at {size}", network=spec.model.strategy, size=size)
    known = {"imagenet": tr("ImageNet weights"), "random": tr("RANDOM weights")}
    return tr(
        "{network} at {size}, {weights}",
        network=spec.base_table.title,
        size=size,
        weights=known.get(spec.base.weights, tr("weights from a file")),
    )


def planned_row(stage: Stage) -> StageRow:
    """Return a planned stage like one that has started."""
    return StageRow(
        StageStarted(
            stage=stage.index,
            name=stage.name,
            kind=stage.kind,
            epochs=stage.epochs,
            optimizer=stage.optimizer,
            learning_rate=stage.learning_rate,
        )
    )


def describe_stage(stage: StageRow, history: History) -> str:
    """Return a stage of the plan, and its progress."""
    rate = stage.started.learning_rate
    if stage.started.is_solved:
        return tr("{name}: at once", name=safe_text(stage_title(stage.name), 120))
    words = tr(
        "{stage}: up to {epochs}",
        stage=safe_text(stage_title(stage.name), 120),
        epochs=plural(stage.epochs, "epoch"),
    )
    if rate is not None:
        words += tr(
            ", {optimizer} at {rate:g}", optimizer=safe_text(stage.started.optimizer, 12), rate=rate
        )
    done = sum(row.stage == stage.index for row in history.trained)
    return words + (" " + tr("({count} done)", count=done) if done else "")


def labelled_line(name: str, words: str, style: str = "") -> Text:
    """Return a line that begins with a label."""
    return Text.assemble((pad_cells(safe_text(name, NAME), NAME), "dim"), (words, style))


def hanging_indent(lines: Sequence[Text], room: int, console: Console) -> Text:
    """Return labelled lines in `room` cells; long ones wrap behind the label."""
    shown = []
    for line in lines:
        label = line.plain
        while cell_width(label) > NAME:  # the label, with its blanks
            label = label[:-1]
        name, words = line[: len(label)], line[len(label) :]
        for part in words.wrap(console, max(room - NAME, 20)):
            shown.append(name.append_text(part))
            name = Text(" " * NAME)
    return Text("\n").join(shown)


def _convolved(
    sizes: str, below: tuple[int, ...], after: tuple[int, ...], stack: Convolutions | None
) -> str:
    if stack is None:
        return "" if below[:2] == after[:2] else sizes
    window, lost = stack.kernel_size, below[0] - after[0]
    if stack.stride > 1:
        return f"{sizes}: stride {stack.stride}"
    if not lost:
        return tr("{after} is kept: zero padding for the window", after=format_shape(after[:2]))
    return tr("{sizes}: {window}x{window} window, no padding", sizes=sizes, window=window)
