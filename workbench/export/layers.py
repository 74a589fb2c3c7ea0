"""What was frozen: each stage's layers as they were asked for, compiled, and moved."""

from workbench.export.html import folded, paragraph, shown, table
from workbench.export.run_data import RunFacts
from workbench.runs.freeze_check import ERROR, Layer, Verdict, groups_of, layers_of_stage, verdict
from workbench.runs.rows import StageRow, number, text
from workbench.text import human_size, plural

_HEADERS = ("shape", "parameters", "requested", "compiled", "moved", "note")
_WORDS = frozenset({3, 4, 6})


def layer_parts(facts: RunFacts) -> list[str]:
    """For each stage a table of blocks, and all its layers folded beneath."""
    parts: list[str] = []
    for index, stage in sorted(facts.history.stages.items()):
        layers = layers_of_stage(stage.event, facts.history.layers.get(index))
        groups = groups_of(layers)
        parts += [
            f"<h3>Stage {index + 1}: {shown(stage.name)}</h3>",
            paragraph(_stage(facts, stage), "soft"),
            table(
                "By block",
                ("block", *_HEADERS),
                [_cells(group.together, group.verdict) for group in groups],
                _WORDS,
            ),
        ]
        if len(layers) > len(groups):
            rows = [_cells(layer, verdict(layer)) for layer in layers]
            parts.append(
                folded("Every layer", table("By layer", ("layer", *_HEADERS), rows, _WORDS))
            )
    return parts


def _stage(facts: RunFacts, stage: StageRow) -> str:
    done = sum(row.stage == stage.index for row in facts.history.epochs)
    rate = number(stage.event.get("learning_rate"))
    told = [f"{plural(done, 'epoch')} of {stage.epochs} at most"]
    told += [f"{shown(text(stage.event.get('optimizer')))} {'' if rate is None else f'{rate:g}'}"]
    if stage.end:
        told += [shown(text(stage.end.get("reason")))]
        kept = number(stage.end.get("kept_epoch"))
        told += [] if kept is None else [f"kept the weights of epoch {kept:.0f}"]
    return ", ".join(part.strip() for part in told if part.strip())


def _cells(layer: Layer, found: Verdict | None) -> tuple[str, ...]:
    words = shown(found.words) if found else ""
    return (
        shown(layer.name),
        human_size(layer.output_shape) or "-",
        f"{layer.parameters:,}" if layer.parameters else "-",
        shown(layer.requested) or "-",
        shown(layer.compiled) or "-",
        _moved(layer.moved),
        f'<span class="bad">{words}</span>' if found and found.kind == ERROR else words,
    )


def _moved(share: float | None) -> str:
    """As a percentage; what moved at all is never told as 0."""
    if share is None:
        return "-"
    if not share:
        return "0"
    return f"{share:.2%}" if share >= 0.0001 else f"{100 * share:.1e}%"
