"""Layers in words: how sizes change, what a stage is, and lines that begin with a name. Pure."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from workbench.experiment.plan import Stage
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import Convolutions
from workbench.runs.freeze_check import Layer, groups_of
from workbench.runs.history import History
from workbench.runs.rows import StageRow, number
from workbench.text import human_size, plural, safe_text

NAME = 11  # cells of what a line is about


def shape_in_words(layer: Layer, below: tuple[int, ...], stack: Convolutions | None = None) -> str:
    """How a layer changes the size of what it reads; "" where it does not, or is not known.

    Args:
        below: shape that it reads, without the batch.
        stack: windows, stride and padding, where the network is a convnet of our own.
    """
    after = layer.output_shape
    if len(below) == len(after) == 3 and layer.kind in ("convolution", "max pooling"):
        sizes = f"{human_size(below[:2])} becomes {human_size(after[:2])}"
        if layer.kind == "max pooling":
            return f"{sizes}: the strongest of each 2x2 is kept"
        return _convolved(sizes, below, after, stack)
    if layer.kind == "flatten":
        return f"the {human_size(below)} map becomes {after[0]:,} numbers in a row"
    if layer.kind == "average pooling" and len(after) == 1:
        return f"the {human_size(below)} map becomes its {after[0]:,} averages, one a channel"
    if layer.kind == "dense" and len(below) == len(after) == 1:
        return f"{below[0]:,} inputs x {after[0]:,} units, and a bias for each unit"
    return ""


def below_of(layers: Sequence[Layer], name: str, image: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that the layer of this name reads, in a network without branches."""
    before = image
    for layer in layers:
        if layer.name == name:
            return before
        before = layer.output_shape
    return ()


def block_in_words(layers: Sequence[Layer], name: str) -> str:
    """How many layers a block has, and what there is to say of them."""
    group = next((group for group in groups_of(layers) if group.name == name), None)
    if group is None:
        return ""
    note = group.verdict
    words = f"{name}  {plural(len(group.layers), 'layer')}, {len(group.weighted)} with weights"
    return safe_text(words + (f", {note.words}" if note else ""), 200)


def network_in_words(spec: ExperimentSpec) -> str:
    """VGG16 at 150x150x3, ImageNet weights."""
    size = human_size(spec.data.input_shape)
    if spec.base is None:
        return f"{spec.model.strategy} at {size}"
    known = {"imagenet": "ImageNet weights", "random": "RANDOM weights"}
    return (
        f"{spec.base_table.title} at {size}, {known.get(spec.base.weights, 'weights from a file')}"
    )


def planned_row(stage: Stage) -> StageRow:
    """A stage as its start would tell it."""
    event = {"optimizer": stage.optimizer, "learning_rate": stage.learning_rate}
    return StageRow(stage.index, stage.name, stage.epochs, 0, event)


def stage_in_words(stage: StageRow, history: History) -> str:
    """A stage of the plan, and how far it is."""
    rate = number(stage.event.get("learning_rate"))
    words = f"{safe_text(stage.name, 120)}: up to {plural(stage.epochs, 'epoch')}"
    if rate is not None:
        words += f", {safe_text(stage.event.get('optimizer'), 12)} at {rate:g}"
    done = sum(row.stage == stage.index for row in history.epochs)
    return words + (f" ({done} done)" if done else "")


def named_line(name: str, words: str, style: str = "") -> Text:
    """A line that begins with what it is about."""
    return Text.assemble((f"{safe_text(name, NAME):<{NAME}}", "dim"), (words, style))


def hanging(lines: Sequence[Text], room: int, console: Console) -> Text:
    """Named lines in so many cells; what does not fit goes on below, behind the name."""
    shown = []
    for line in lines:
        name, words = line[:NAME], line[NAME:]
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
        return f"{human_size(after[:2])} is kept: zero padding for the window"
    return f"{sizes}: {window}x{window} window, no padding"
