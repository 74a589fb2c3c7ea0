"""How busy the machine was while its screen is open, as curves below the gauges."""

import time
from collections import deque

from rich.text import Text

from workbench.machine.live import Gauges
from workbench.messages import tr
from workbench.render.canvas import MARKERS, Series
from workbench.render.plot import PlotOptions
from workbench.text import format_seconds
from workbench.ui.widgets.lines import LinePlot, series_colors

MAX_SAMPLES = 300  # five minutes, one a second


def usage(sample: Gauges) -> dict[str, float]:
    """Return what is in use by its name: of the processor, the memory, each GPU; in percent."""
    host, shares = sample.host, dict[str, float]()
    if "cpu" in host:
        shares["cpu"] = host["cpu"]
        shares[tr("memory")] = 100 * host["memory_used"] / max(host["memory_total"], 1)
    for gpu in sample.nvml.gpus:
        if gpu.utilization is not None:
            shares[f"gpu {gpu.index}"] = gpu.utilization
    return shares


class UsagePlot(LinePlot):
    """What was in use in each of the samples."""

    def __init__(self) -> None:
        super().__init__()
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=MAX_SAMPLES)

    def start(self) -> None:
        """Forget the samples: of the time until the next one nothing is known."""
        self._samples.clear()

    def add(self, sample: Gauges, utf8: bool) -> None:
        """Keep one more sample, and draw all where there is room."""
        now = time.monotonic()
        self._samples.append((now, usage(sample)))
        if not self.display:
            return
        names = list(dict.fromkeys(name for _, shares in self._samples for name in shares))
        colors = series_colors(len(names), self.app.theme_variables)
        series = [
            Series(
                name,
                tuple(shares.get(name) for _, shares in self._samples),
                color,
                marker=MARKERS[number % len(MARKERS)],
            )
            for number, (name, color) in enumerate(zip(names, colors, strict=True))
        ]
        age = tr("{age} ago", age=format_seconds(now - self._samples[0][0]))
        options = PlotOptions(
            borders=((1, age),), end_name=tr("now"), utf8=utf8, limits=(0.0, 100.0), digits=0
        )
        self.show(Text(tr("in use, in percent"), "bold"), series, options)
