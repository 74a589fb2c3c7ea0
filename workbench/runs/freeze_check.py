"""The freeze check: what the plan requested of each layer, what was compiled, what moved.

Pure functions from a run's events or from a spec to layers and blocks, and to their findings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.bases.kinds import BATCH_NORM
from workbench.experiment.plan import Stage, layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.runs.events import CheckedLayer, LayersChecked, PlannedLayer, StageStarted
from workbench.text import safe_text

TRAINS, FROZEN, PARTLY = "trains", "frozen", "partly"
STATUS_TITLES = {TRAINS: tr("trains"), FROZEN: tr("frozen"), PARTLY: tr("partly")}
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        output_shape: without the batch.
        requested: "trains" or "frozen"; "" for a layer without weights.
        compiled: the same in the compiled model; "" if unknown.
        moved: change of its weights since the stage began, relative to their norm; None if
            unknown.
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
    """A finding on a layer or block; `kind` is "error", "warning" or "note"."""

    kind: str
    message: str


@dataclass(frozen=True)
class LayerGroup:
    """The layers of a block, or a single layer without a block."""

    name: str
    layers: tuple[Layer, ...]
    single: bool = False

    @property
    def with_weights(self) -> tuple[Layer, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if layer.parameters or layer.compiled)

    @property
    def combined(self) -> Layer:
        """The group as one layer, with the sum of the parameters and the largest change."""
        if self.single:
            return self.layers[0]
        layers = self.with_weights
        return Layer(
            name=self.name,
            output_shape=self.layers[-1].output_shape,
            parameters=sum(layer.parameters for layer in layers),
            requested=_combined_status((layer.kind, layer.requested) for layer in layers),
            compiled=_combined_status((layer.kind, layer.compiled) for layer in layers),
            moved=max((one.moved for one in layers if one.moved is not None), default=None),
        )

    @property
    def verdict(self) -> Verdict | None:
        """The most severe finding on its layers."""
        layers = self.with_weights
        found = [finding for layer in layers if (finding := verdict(layer))]
        for kind in (ERROR, WARNING):
            messages = [finding.message for finding in found if finding.kind == kind]
            if messages:
                if len(layers) == 1:
                    return Verdict(kind, messages[0])
                message = tr(
                    "{message} ({count} of {all})",
                    message=messages[0],
                    count=len(messages),
                    all=len(layers),
                )
                return Verdict(kind, message)
        if {layer.requested for layer in layers} != {TRAINS, FROZEN}:
            return None
        if self.combined.requested == TRAINS:
            return Verdict(NOTE, tr("batch norm stays frozen"))
        trained = sum(layer.requested == TRAINS for layer in layers)
        return Verdict(
            NOTE,
            tr(
                "{trained} of {layers_count} layers train",
                trained=trained,
                layers_count=len(layers),
            ),
        )


def _combined_status(layers: Iterable[tuple[str, str]]) -> str:
    """Combine the status of layers, given as (kind, status).

    Frozen batch normalization does not make a block partly trained.
    """
    kinds: dict[str, set[str]] = {}
    for kind, status in layers:
        if status:
            kinds.setdefault(status, set()).add(kind)
    if set(kinds) == {TRAINS, FROZEN}:
        return TRAINS if kinds[FROZEN] == {BATCH_NORM} else PARTLY
    return next(iter(kinds), "")


def status_title(status: str) -> str:
    """Return whether a layer trains in the language of the reader; "" without weights."""
    return STATUS_TITLES.get(status, safe_text(status, 9))


def layers_of_stage(
    started: StageStarted, checked: LayersChecked | None = None
) -> tuple[Layer, ...]:
    """Return the layers that a stage began with, updated from its newest freeze check."""
    planned = {layer.name: layer for layer in started.layers}
    known = {layer.name: layer for layer in checked.layers} if checked else {}
    names = dict.fromkeys([*planned, *known])
    return tuple(_layer(name, planned.get(name), known.get(name)) for name in names)


def layers_of_spec(spec: ExperimentSpec, classes: int, stage: Stage) -> tuple[Layer, ...]:
    """Return the planned layers of a stage that has not begun."""
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


def group_by_block(layers: Sequence[Layer]) -> tuple[LayerGroup, ...]:
    """Group layers by block, in order; a layer without a block is a group of its own."""
    blocks: dict[str, list[Layer]] = {}
    for layer in layers:
        blocks.setdefault(
            tr("block {block}", block=layer.block) if layer.block else layer.name, []
        ).append(layer)
    return tuple(
        LayerGroup(rows[0].block or rows[0].name, tuple(rows), not rows[0].block)
        for rows in blocks.values()
    )


def verdict(layer: Layer) -> Verdict | None:
    """Return the finding on a layer, if any."""
    if layer.requested == FROZEN and layer.moved:
        return Verdict(ERROR, tr("ERROR: frozen but moved"))
    if layer.compiled and layer.requested and layer.compiled != layer.requested:
        return Verdict(ERROR, tr("ERROR: compiled otherwise"))
    if layer.requested == TRAINS and layer.moved == 0:
        return Verdict(WARNING, tr("did not move"))
    return None


def _layer(name: str, planned: PlannedLayer | None, checked: CheckedLayer | None) -> Layer:
    plan, check = planned or PlannedLayer(), checked or CheckedLayer()
    # Only layers with weights are checked; the number of parameters comes from the plan.
    has_weights = bool(plan.parameters or checked)
    return Layer(
        name=name,
        kind=plan.kind,
        block=plan.block,
        output_shape=plan.output_shape,
        parameters=plan.parameters,
        requested=(check.requested or plan.requested) if has_weights else "",
        compiled=check.compiled,
        moved=check.moved,
    )
