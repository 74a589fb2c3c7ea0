"""The load of the machine in one or two lines, from the newest sample of a run."""

from rich.text import Text

from workbench.runs.events import ChosenGpu, MachineSample
from workbench.text import format_age, format_bytes, safe_text
from workbench.ui.screen import WIDE_COLUMNS
from workbench.ui.train.text import labelled, track

BAR = 8  # cells; in a wide terminal


def host_line(machine: MachineSample, checkpoint_age: float | None, width: int, utf8: bool) -> Text:
    """Return CPU, memory and disk, with the age of the last checkpoint at the right.

    Args:
        machine: the newest sample.
        checkpoint_age: seconds; None if there is no checkpoint.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    bars = width >= WIDE_COLUMNS
    parts = [
        _share("CPU", machine.cpu, bars, utf8),
        _memory(machine.memory_used, machine.memory_total, bars, utf8),
    ]
    if machine.disk_free is not None:
        parts.append(Text(f"disk {format_bytes(machine.disk_free)} free"))
    saved = Text("no checkpoint yet", style="dim")
    if checkpoint_age is not None:
        saved = Text(f"saved {format_age(checkpoint_age)} ago")
    text = labelled("host", Text("  ").join(part for part in parts if part.plain))
    text.append(" " * max(width - text.cell_len - saved.cell_len, 2))
    return text.append_text(saved)


def gpu_line(machine: MachineSample, chosen: ChosenGpu | None, width: int, utf8: bool) -> Text:
    """Return use, memory and temperature of the GPU; "" if the run has none.

    Args:
        machine: the newest sample.
        chosen: the GPU that the run claimed.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    gpu = machine.gpu
    if gpu is None:
        return Text("")
    bars = width >= WIDE_COLUMNS
    parts = [
        Text(safe_text(chosen.name if chosen else "", 24)),
        _share("use", gpu.utilization, bars, utf8),
        _memory(gpu.memory_used, gpu.memory_total, bars, utf8),
    ]
    if gpu.temperature is not None:
        parts.append(Text(f"{gpu.temperature:.0f} {'°C' if utf8 else 'C'}"))
    return labelled("gpu", Text("  ").join(part for part in parts if part.plain))


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
