"""Pretrained networks as text, so that a person can choose one."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from workbench.bases.architectures import BASES, BaseInfo
from workbench.bases.published import file_bytes
from workbench.bases.weights import present_weights
from workbench.experiment.base_choice import explain_base, suggest_larger_base
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.text import cell_width, format_bytes, pad_cells, percent

# Cells of the labels at the left, the longest of which has a blank behind it.
_LABELS = (
    tr("until"), tr("book"), tr("stage"), tr("base"), tr("needs"), tr("time"), tr("on ").rstrip(),
)  # fmt: skip
LABEL = 1 + max(map(cell_width, _LABELS))
HEADERS = (
    tr("base"),
    tr("family"),
    tr("image"),
    tr("parameters"),
    tr("multiply-adds"),
    tr("file"),
    tr("ImageNet"),
)
ALIGN = "llrrrrr"


def base_cells(base: BaseInfo) -> tuple[str, ...]:
    """Return a row under `HEADERS`."""
    table = base.table
    return (
        base.name,
        base.family,
        f"{base.image_size}",
        f"{table.parameters / 1e6:.1f} M",
        format_multiply_adds(base),
        format_bytes(file_bytes(base.name)),
        percent(base.top1 / 100, 1),
    )


def format_multiply_adds(base: BaseInfo) -> str:
    """Return the multiply-adds of an image at the size that presets take: 0.39 G."""
    adds = base.table.multiply_adds / 1e9
    return f"{adds:.2f} G" if adds < 10 else f"{adds:.0f} G"


def describe_base(name: str) -> str:
    """Return the figures of a base in one line; "" for an unknown one."""
    base = BASES.get(name)
    if base is None:
        return ""
    return tr(
        "{parameters:.1f} M parameters, {adds} multiply-adds at {side}x{side}, file {size}, "
        "{top1:.1f} % on ImageNet",
        parameters=base.table.parameters / 1e6,
        adds=format_multiply_adds(base),
        side=base.image_size,
        size=format_bytes(file_bytes(name)),
        top1=base.top1,
    )


def base_choices() -> list[str]:
    """Return a line for each base of `BASES`, in columns that fit a dialog of 70 cells."""
    rows = [base_cells(base) for base in BASES.values()]
    widths = [max(cell_width(row[column]) for row in rows) for column in range(len(HEADERS))]
    kept = [
        HEADERS.index(name)
        for name in (tr("base"), tr("parameters"), tr("multiply-adds"), tr("file"))
    ]
    return [
        "  ".join(
            [
                *(pad_cells(row[at], widths[at], "r" if at else "l") for at in kept),
                pad_cells(row[-1], widths[-1], "r"),
                tr("here") if present_weights(base.name, (base.image_size,) * 2) else "",
            ]
        ).rstrip()
        for row, base in zip(rows, BASES.values(), strict=True)
    ]


def about_bases() -> str:
    """Return what the columns of `base_choices` are."""
    return tr(
        "Its parameters, multiply-adds of an image at its own size, file, published accuracy on "
        "ImageNet; here: its weights need no download. Sources: workbench bases"
    )


def base_lines(
    spec: ExperimentSpec | None,
    settings: Mapping[str, Any],
    benchmark: BenchmarkResult | None,
    wide: bool,
) -> Text:
    """Return the base of a strategy, and in a wide terminal why, and which larger one would pay.

    Args:
        spec: of the strategy; None, or one without a base, has no lines.
        settings: that a person made.
        benchmark: of the device; None if it was not measured.
        wide: whether there is room for sentences.
    """
    if spec is None or spec.base is None:
        return Text()
    base = BASES[spec.base.name]
    text = Text("\n" + pad_cells(tr("on "), LABEL), style="dim")
    text.append(
        tr("{title}, {top1:.1f} % on ImageNet", title=base.title, top1=base.top1), style="not dim"
    )
    why = explain_base(base.name, given="base.name" in settings)
    larger = suggest_larger_base(base.name, benchmark.kind if benchmark else "")
    for sentence in (why, larger):
        if wide and sentence:
            text.append(f"\n{sentence}", style="dim")
    return text
