"""The load of the machine in one or two lines, from the newest `machine` event of a run."""

from typing import Any

from rich.text import Text

from workbench.runs.events import Event
from workbench.runs.rows import number
from workbench.text import format_age, format_bytes, safe_text
from workbench.ui.screen import WIDE_COLUMNS
from workbench.ui.train.text import labelled, track

BAR = 8  # cells; in a wide terminal


def host_line(machine: Event, checkpoint_age: float | None, width: int, utf8: bool) -> Text:
    """Return CPU, memory and disk, with the age of the last checkpoint at the right.

    Args:
        machine: {} if nothing was measured yet.
        checkpoint_age: seconds; None if there is no checkpoint.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    bars = width >= WIDE_COLUMNS
    parts = [
        _share("CPU", number(machine.get("cpu")), bars, utf8),
        _memory(
            number(machine.get("memory_used")), number(machine.get("memory_total")), bars, utf8
        ),
    ]
    free = number(machine.get("disk_free"))
    if free is not None:
        parts.append(Text(f"disk {format_bytes(free)} free"))
    saved = Text("no checkpoint yet", style="dim")
    if checkpoint_age is not None:
        saved = Text(f"saved {format_age(checkpoint_age)} ago")
    text = labelled("host", Text("  ").join(part for part in parts if part.plain))
    text.append(" " * max(width - text.cell_len - saved.cell_len, 2))
    return text.append_text(saved)


def gpu_line(machine: Event, chosen: Event, width: int, utf8: bool) -> Text:
    """Return use, memory and temperature of the GPU; "" if the run has none.

    Args:
        machine: {} if nothing was measured yet.
        chosen: the run's `gpu_chosen`.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    gpu, named = _table(machine.get("gpu")), _table(chosen.get("gpu"))
    if not gpu:
        return Text("")
    bars = width >= WIDE_COLUMNS
    parts = [
        Text(safe_text(named.get("name") or "", 24)),
        _share("use", number(gpu.get("utilization")), bars, utf8),
        _memory(number(gpu.get("memory_used")), number(gpu.get("memory_total")), bars, utf8),
    ]
    temperature = number(gpu.get("temperature"))
    if temperature is not None:
        parts.append(Text(f"{temperature:.0f} {'°C' if utf8 else 'C'}"))
    return labelled("gpu", Text("  ").join(part for part in parts if part.plain))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _share(name: str, percent: float | None, bars: bool, utf8: bool) -> Text:
    if percent is None:
        return Text(f"{name} -")
    return _gauge(name, percent / 100, f"{percent:3.0f} %", bars, utf8)


def _memory(used: float | None, total: float | None, bars: bool, utf8: bool) -> Text:
    if used is None or not total:
        return Text("")
    value = f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"
    return _gauge("memory", used / total, value, bars, utf8)


def _gauge(name: str, share: float, value: str, bars: bool, utf8: bool) -> Text:
    text = Text(f"{name} ")
    if bars:
        text.append_text(track(share, BAR, utf8)).append(" ")
    return text.append(value)
