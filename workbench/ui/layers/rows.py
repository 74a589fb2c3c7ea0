"""Layers as rows of a table: over blocks that open and close, to cells of text. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from workbench.runs.freeze_check import Group, Layer, Verdict, verdict
from workbench.text import human_size, safe_text

NOTHING = "-"
MOVED_DIGITS = 0.001  # percent; below, a change would be shown as none


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
    row = _layer_row(group.together, 0)
    return replace(row, key=f"block {group.name}", opened=opened, verdict=group.verdict)


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
