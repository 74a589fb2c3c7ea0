"""Layers as rows of a table: what the plan asks, what was compiled, what the weights did.

Pure: from a run's events or from a spec, over blocks that open and close, to cells of text.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.text import Text

from workbench.experiment.plan import Stage, layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import Convolutions
from workbench.runs.events import Event
from workbench.runs.history import History
from workbench.runs.rows import StageRow, number, text, whole
from workbench.text import human_size, plural, safe_text

TRAINS, FROZEN, PARTLY = "trains", "frozen", "partly"
ERROR, WARNING, NOTE = "error", "warning", "note"
BATCH_NORM = "batch normalization"
NOTHING = "-"
NAME = 11  # cells of what a line is about
MOVED_DIGITS = 0.001  # percent; below, a change would be shown as none


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        output_shape: without the batch.
        requested: "trains" or "frozen"; "" for a layer without weights.
        compiled: the same, as the compiled model has it; "" while that is not known.
        moved: change of its weights since the stage began, as a share of their norm; None while
            it is not known.
    """

    name: str
    kind: str = ""
    block: str = ""
    output_shape: tuple[int, ...] = ()
    parameters: int = 0
    requested: str = ""
    compiled: str = ""
    moved: float | None = None


@dataclass(frozen=True)
class Group:
    """A block and its layers, or a layer that stands alone."""

    name: str
    layers: tuple[Layer, ...]
    alone: bool = False

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """Those that have weights."""
        return tuple(layer for layer in self.layers if layer.parameters)


@dataclass(frozen=True)
class Verdict:
    """What there is to say of a row; `kind` is "error", "warning" or "note"."""

    kind: str
    words: str


@dataclass(frozen=True)
class TableRow:
    """Cells of the table.

    Attributes:
        key: "block NAME" or "layer NAME".
        depth: 1 for a layer inside an open block, else 0.
        opened: None where there is nothing to open.
        trains: "trains", "frozen", "partly", or "" without weights.
    """

    key: str
    name: str
    depth: int
    opened: bool | None
    trains: str
    output: str
    parameters: str
    requested: str
    compiled: str
    moved: str
    verdict: Verdict | None


def layers_of_stage(started: Event, truth: Event | None = None) -> tuple[Layer, ...]:
    """The layers as a stage's `stage_started` told them, and over them the newest `layers`.

    Odd or missing fields do no harm.
    """
    asked, known = _named(started), _named(truth or {})
    names = dict.fromkeys([*asked, *known])
    return tuple(_layer({**asked.get(name, {}), **known.get(name, {})}) for name in names)


def layers_of_spec(spec: ExperimentSpec, classes: int, stage: Stage) -> tuple[Layer, ...]:
    """The layers of a stage that has not begun, as the plan has them."""
    return tuple(
        Layer(
            row.name,
            row.kind,
            row.block,
            row.output_shape,
            row.parameters,
            (TRAINS if stage.trains(row.name) else FROZEN) if row.parameters else "",
        )
        for row in layer_rows(spec, classes)
    )


def groups_of(layers: Sequence[Layer]) -> tuple[Group, ...]:
    """Blocks in their order; a layer without a block stands alone."""
    blocks: dict[str, list[Layer]] = {}
    for layer in layers:
        blocks.setdefault(f"block {layer.block}" if layer.block else layer.name, []).append(layer)
    return tuple(
        Group(rows[0].block or rows[0].name, tuple(rows), not rows[0].block)
        for rows in blocks.values()
    )


def table_rows(groups: Sequence[Group], opened: Set[str] = frozenset()) -> list[TableRow]:
    """A row a block, and under those in `opened` (names) a row a layer."""
    rows: list[TableRow] = []
    for group in groups:
        if group.alone:
            rows.append(_layer_row(group.layers[0], 0))
            continue
        rows.append(_block_row(group, group.name in opened))
        if group.name in opened:
            rows += [_layer_row(layer, 1) for layer in group.layers]
    return rows


def verdict(layer: Layer) -> Verdict | None:
    """What is wrong with a layer, where something is."""
    if layer.requested == FROZEN and layer.moved:
        return Verdict(ERROR, "ERROR: frozen but moved")
    if layer.compiled and layer.requested and layer.compiled != layer.requested:
        return Verdict(ERROR, "ERROR: compiled otherwise")
    if layer.requested == TRAINS and layer.moved == 0:
        return Verdict(WARNING, "did not move")
    return None


def trains_of(group: Group) -> str:
    """What is asked of a block; batch normalization that stays frozen does not make it half."""
    asked = {layer.requested for layer in group.weighted if layer.requested}
    if asked == {TRAINS, FROZEN}:
        still = {layer.kind for layer in group.weighted if layer.requested == FROZEN}
        return TRAINS if still == {BATCH_NORM} else PARTLY
    return asked.pop() if asked else ""


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
    note = block_verdict(group.weighted)
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
        return f"{sizes}: the window moves by {stack.stride} pixels"
    if not lost:
        return f"{human_size(after[:2])} is kept: zeros are put around it for the window"
    return f"{sizes}: the {window}x{window} window stops at the border"


def _named(event: Event) -> dict[str, Mapping[str, Any]]:
    rows = event.get("layers")
    told = rows if isinstance(rows, list) else []
    return {text(row.get("name")): row for row in told if isinstance(row, Mapping)}


def _layer(row: Mapping[str, Any]) -> Layer:
    shape = row.get("output_shape")
    sides = [whole(side) or 0 for side in shape] if isinstance(shape, list) else []
    # Only what has weights comes with `compiled`; the count is the plan's.
    parameters = whole(row.get("parameters")) or 0
    weighted = bool(parameters) or "compiled" in row
    return Layer(
        name=text(row.get("name")),
        kind=text(row.get("kind")),
        block=text(row.get("block")),
        output_shape=tuple(sides),
        parameters=parameters,
        requested=text(row.get("requested")) if weighted else "",
        compiled=text(row.get("compiled")),
        moved=number(row.get("moved")),
    )


def _layer_row(layer: Layer, depth: int) -> TableRow:
    return TableRow(
        key=f"layer {layer.name}",
        name=safe_text(layer.name, 60),
        depth=depth,
        opened=None,
        trains=layer.requested,
        output=_size(layer.output_shape),
        parameters=f"{layer.parameters:,}",
        requested=safe_text(layer.requested, 9) or NOTHING,
        compiled=safe_text(layer.compiled, 9) or NOTHING,
        moved=_moved(layer.moved),
        verdict=verdict(layer),
    )


def _block_row(group: Group, opened: bool) -> TableRow:
    layers = group.weighted
    moved = [layer.moved for layer in layers if layer.moved is not None]
    whole_block = Layer(
        name=group.name,
        output_shape=group.layers[-1].output_shape,
        parameters=sum(layer.parameters for layer in layers),
        requested=trains_of(group),
        compiled=_compiled(layers),
        moved=max(moved) if moved else None,
    )
    row = _layer_row(whole_block, 0)
    return replace(row, key=f"block {group.name}", opened=opened, verdict=block_verdict(layers))


def _compiled(layers: Sequence[Layer]) -> str:
    """As `trains_of`, for what was compiled."""
    asked = tuple(replace(layer, requested=layer.compiled) for layer in layers)
    return trains_of(Group("", asked))


def block_verdict(layers: Sequence[Layer]) -> Verdict | None:
    """The worst there is to say of a layer in it; that batch normalization rests is a note."""
    found = [told for layer in layers if (told := verdict(layer))]
    for kind in (ERROR, WARNING):
        words = next((told.words for told in found if told.kind == kind), "")
        count = sum(told.kind == kind for told in found)
        if words:
            of = f" ({count} of {len(layers)})" if len(layers) > 1 else ""
            return Verdict(kind, words + of)
    asked = {layer.requested for layer in layers}
    if asked == {TRAINS, FROZEN}:
        resting = {layer.kind for layer in layers if layer.requested == FROZEN} == {BATCH_NORM}
        trained = sum(layer.requested == TRAINS for layer in layers)
        words = "batch norm stays frozen" if resting else f"{trained} of {len(layers)} layers train"
        return Verdict(NOTE, words)
    return None


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else human_size(shape) or NOTHING


def _moved(share: float | None) -> str:
    if share is None:
        return NOTHING
    if share == 0:
        return "0"
    percent = share * 100
    if percent < MOVED_DIGITS:
        return f"<{MOVED_DIGITS:g} %"
    digits = 3 if percent < 1 else 2 if percent < 10 else 1
    return f"{percent:,.{digits}f} %"
