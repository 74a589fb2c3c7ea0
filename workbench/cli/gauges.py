"""`workbench check --watch`: use, memory and processes of the box as they change."""

import sys

from workbench.cli.show import say, table
from workbench.errors import UserError
from workbench.machine.live import Gauges, gauges
from workbench.machine.summary import gpu_text
from workbench.text import human_gib, human_seconds, safe_text

BAR = 20  # cells


def watch_gauges() -> None:
    """Shows the gauges until Ctrl-C; lines without end where the output is no terminal.

    Raises:
        UserError: the process that reads them ended.
    """
    try:
        _show_gauges()
    except KeyboardInterrupt:
        return
    raise UserError(
        "The process that reads the gauges has ended: a driver may have crashed it.",
        "workbench check tells more.",
    )


def _show_gauges() -> None:
    if not sys.stdout.isatty():
        for look in gauges():
            say(gauge_text(look) + "\n")
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for look in gauges():
            live.update(Text(gauge_text(look) + "\n\nCtrl-C ends"), refresh=True)


def gauge_text(look: Gauges) -> str:
    """A look as lines within 80 columns."""
    box = look.box
    if not box:
        return f"waiting for the driver, {human_seconds(look.silent)} so far"
    lines = []
    if "cpu" in box:
        used, total = box["memory_used"], box["memory_total"]
        lines += [
            f"cpu     {_bar(box['cpu'] / 100)} {box['cpu']:3.0f} %",
            f"memory  {_bar(used / total)} {used / 2**30:.1f} of {human_gib(total)}",
        ]
    for gpu in look.nvml.gpus:
        share = gpu.memory_used / gpu.memory_total if gpu.memory_total else 0.0
        lines += ["", f"gpu {gpu.index}   {gpu_text(gpu)}"]
        lines += [f"  use     {_bar((gpu.utilization or 0) / 100)}", f"  memory  {_bar(share)}"]
        rows = [
            (one.pid, one.user or "?", human_gib(one.memory) if one.memory else "?", one.name)
            for one in gpu.processes
        ]
        if rows:
            text = table(("  PID", "user", "memory", "program"), rows, "rlrl")
            lines += [line[:79] for line in text.split("\n")]
    if not look.nvml.gpus:
        lines += ["", "no GPU" + (f": {safe_text(look.nvml.error)}" if look.nvml.error else "")]
    if look.silent:
        lines += ["", f"NVML has not answered for {human_seconds(look.silent)}."]
    return "\n".join(lines)


def _bar(share: float) -> str:
    full = round(min(max(share, 0.0), 1.0) * BAR)
    return "[" + "#" * full + "." * (BAR - full) + "]"
