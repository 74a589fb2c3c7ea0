"""The stages of a run in its report: what was trained and frozen, block by block."""

from typing import Any

from markupsafe import Markup

from workbench.experiment.stage_titles import stage_title
from workbench.export.run_data import RunData
from workbench.messages import tr
from workbench.runs.event_text import describe_cross_validation, describe_kept
from workbench.runs.freeze_check import (
    ERROR,
    Layer,
    Verdict,
    group_by_block,
    layers_of_stage,
    verdict,
)
from workbench.runs.history import StageRow
from workbench.text import format_moved, format_shape, plural, safe_text
from workbench.words import shown


def describe_stages(data: RunData) -> list[dict[str, Any]]:
    """Return each stage's blocks and, where these hold several layers, its layers."""
    stages = []
    for index, stage in sorted(data.history.stages.items()):
        layers = layers_of_stage(stage.started, data.history.layers.get(index))
        groups = group_by_block(layers)
        every = [_layer(layer, verdict(layer)) for layer in layers]
        stages.append(
            {
                "number": index + 1,
                "name": stage_title(stage.name),
                "about": _stage(data, stage),
                "blocks": [_layer(group.combined, group.verdict) for group in groups],
                "layers": every if len(layers) > len(groups) else [],
            }
        )
    return stages


def _stage(data: RunData, stage: StageRow) -> str:
    if stage.started.is_solved:
        return describe_cross_validation(data.history.cross_validated.get(stage.index))
    done = sum(row.stage == stage.index and row.epoch > 0 for row in data.history.epochs)
    rate, optimizer = stage.started.learning_rate, safe_text(stage.started.optimizer)
    parts = [
        tr(
            "{epochs} of {most} at most, {optimizer}",
            epochs=plural(done, "epoch"),
            most=stage.epochs,
            optimizer=f"{optimizer} {'' if rate is None else f'{rate:g}'}".strip(),
        ),
    ]
    if stage.end:
        parts.append(shown(safe_text(stage.end.reason)))
        parts += [] if stage.end.kept_epoch is None else [describe_kept(stage.end)]
    return ", ".join(part.strip() for part in parts if part.strip())


def _layer(layer: Layer, found: Verdict | None) -> tuple[str, ...]:
    note: str = safe_text(found.message) if found else ""
    if found and found.kind == ERROR:
        note = Markup('<span class="bad">{}</span>').format(note)
    return (
        layer.name,
        format_shape(layer.output_shape) or "-",
        f"{layer.parameters:,}" if layer.parameters else "-",
        shown(layer.requested) or "-",
        shown(layer.compiled) or "-",
        _moved(layer.moved),
        note,
    )


def _moved(share: float | None) -> str:
    """Return a percentage; a change, however small, is never shown as 0."""
    if share is None:
        return "-"
    if not share:
        return "0"
    return format_moved(share, 2) if share >= 0.0001 else f"{100 * share:.1e} %"
