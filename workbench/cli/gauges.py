"""`workbench check --watch`: live use, memory and processes of the machine."""

import sys

from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.machine.diagnosis import format_gpu
from workbench.machine.live import Gauges, gauges
from workbench.render.marks import bar
from workbench.text import format_gib, format_seconds, safe_text, table

BAR = 20  # cells


def watch_gauges() -> None:
    """Show the gauges until Ctrl-C; as lines if the output is no terminal.

    Raises:
        UserError: the process that reads them ended.
    """
    try:
        _show_gauges()
    except KeyboardInterrupt:
        return
    raise UserError(
        "The process that reads the gauges has ended: a driver may have crashed it.",
        "See: workbench check",
    )


def _show_gauges() -> None:
    if not sys.stdout.isatty():
        for sample in gauges():
            echo(gauge_text(sample) + "\n")
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for sample in gauges():
            live.update(Text(gauge_text(sample) + "\n\nCtrl-C ends"), refresh=True)


def gauge_text(sample: Gauges) -> str:
    """Format a sample in lines of at most 80 columns."""
    host = sample.host
    if not host:
        return f"waiting for the driver, {format_seconds(sample.silent)} so far"
    lines = []
    if "cpu" in host:
        used, total = host["memory_used"], host["memory_total"]
        lines += [
            f"cpu     {_bar(host['cpu'] / 100)} {host['cpu']:3.0f} %",
            f"memory  {_bar(used / total)} {used / 2**30:.1f} of {format_gib(total)}",
        ]
    for gpu in sample.nvml.gpus:
        share = gpu.memory_used / gpu.memory_total if gpu.memory_total else 0.0
        lines += ["", f"gpu {gpu.index}   {format_gpu(gpu)}"]
        lines += [f"  use     {_bar((gpu.utilization or 0) / 100)}", f"  memory  {_bar(share)}"]
        rows = [
            (one.pid, one.user or "?", format_gib(one.memory) if one.memory else "?", one.name)
            for one in gpu.processes
        ]
        if rows:
            text = table(("  PID", "user", "memory", "program"), rows, "rlrl")
            lines += [line[:79] for line in text.split("\n")]
    if not sample.nvml.gpus:
        lines += ["", "no GPU" + (f": {safe_text(sample.nvml.error)}" if sample.nvml.error else "")]
    if sample.silent:
        lines += ["", f"NVML has not answered for {format_seconds(sample.silent)}."]
    return "\n".join(lines)


def _bar(share: float) -> str:
    return f"[{bar(share, BAR, utf8=False)}]"
