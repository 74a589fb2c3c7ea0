"""What was frozen in a run: what the plan asked of each layer, what was compiled, what moved.

Pure: from a run's events or from a spec to layers and blocks, and to what is wrong with them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.experiment.plan import Stage, layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.events import Event
from workbench.runs.rows import number, text, whole

TRAINS, FROZEN, PARTLY = "trains", "frozen", "partly"
ERROR, WARNING, NOTE = "error", "warning", "note"
BATCH_NORM = "batch normalization"


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
class Verdict:
    """What there is to say of a row; `kind` is "error", "warning" or "note"."""

    kind: str
    words: str


@dataclass(frozen=True)
class Group:
    """A block and its layers, or a layer that stands alone."""

    name: str
    layers: tuple[Layer, ...]
    alone: bool = False

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """Those that have weights."""
        return tuple(layer for layer in self.layers if layer.parameters or layer.compiled)

    @property
    def together(self) -> Layer:
        """All of it as one layer: parameters added up, the largest of the moves."""
        if self.alone:
            return self.layers[0]
        return Layer(
            name=self.name,
            output_shape=self.layers[-1].output_shape,
            parameters=sum(layer.parameters for layer in self.weighted),
            requested=self._agreed((layer.kind, layer.requested) for layer in self.weighted),
            compiled=self._agreed((layer.kind, layer.compiled) for layer in self.weighted),
            moved=max((one.moved for one in self.weighted if one.moved is not None), default=None),
        )

    @property
    def verdict(self) -> Verdict | None:
        """The worst there is to say of a layer in it; that batch normalization rests is a note."""
        found = [told for layer in self.weighted if (told := verdict(layer))]
        for kind in (ERROR, WARNING):
            words = next((told.words for told in found if told.kind == kind), "")
            count = sum(told.kind == kind for told in found)
            if words:
                of = f" ({count} of {len(self.weighted)})" if len(self.weighted) > 1 else ""
                return Verdict(kind, words + of)
        if {layer.requested for layer in self.weighted} != {TRAINS, FROZEN}:
            return None
        if self.together.requested == TRAINS:
            return Verdict(NOTE, "batch norm stays frozen")
        trained = sum(layer.requested == TRAINS for layer in self.weighted)
        return Verdict(NOTE, f"{trained} of {len(self.weighted)} layers train")

    @staticmethod
    def _agreed(told: Iterable[tuple[str, str]]) -> str:
        """What is told of kinds of layers, as one word.

        Batch normalization that stays frozen does not make a block half.
        """
        kinds: dict[str, set[str]] = {}
        for kind, word in told:
            if word:
                kinds.setdefault(word, set()).add(kind)
        if set(kinds) == {TRAINS, FROZEN}:
            return TRAINS if kinds[FROZEN] == {BATCH_NORM} else PARTLY
        return next(iter(kinds), "")


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


def verdict(layer: Layer) -> Verdict | None:
    """What is wrong with a layer, where something is."""
    if layer.requested == FROZEN and layer.moved:
        return Verdict(ERROR, "ERROR: frozen but moved")
    if layer.compiled and layer.requested and layer.compiled != layer.requested:
        return Verdict(ERROR, "ERROR: compiled otherwise")
    if layer.requested == TRAINS and layer.moved == 0:
        return Verdict(WARNING, "did not move")
    return None


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
