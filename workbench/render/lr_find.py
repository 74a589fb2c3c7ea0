"""The learning-rate range test as a plot."""

from collections.abc import Sequence

from workbench.experiment.lr_find import Suggestion, format_rate, learning_rate_at, smoothed_losses
from workbench.render.plot import PlotOptions
from workbench.render.plot_canvas import Series

COLOR = "#5fafd7"
ROOM = 1.3  # times the highest loss before the lowest: the top of the plot


def lr_find_plot(
    losses: Sequence[float], steps: int, found: Suggestion, utf8: bool
) -> tuple[Series, PlotOptions]:
    """Return the smoothed losses over the logarithm of the rate, with the batches' as dots.

    Args:
        losses: of each step's batch; fewer than `steps` if the loss diverged.
        steps: planned.
        found: the suggested rate is marked.
        utf8: False for ASCII.
    """
    smoothed = smoothed_losses(losses)
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    top = ROOM * max(
        smoothed[: lowest + 1], default=1.0
    )  # the divergence would flatten everything else
    values = tuple(min(loss, top) for loss in smoothed)
    dots = tuple(loss if loss <= top else None for loss in losses)
    rates = [format_rate(learning_rate_at(step, steps)) for step in range(len(losses))]
    options = PlotOptions(
        epochs=len(losses),
        borders=((1, format_rate(learning_rate_at(0, steps))),),
        best=rates.index(format_rate(found.rate)) + 1 if found.rate else None,
        best_name=format_rate(found.rate) if found.rate else "",
        end_name=rates[-1] if rates else "",
        utf8=utf8,
        empty="the loss is not a number",
    )
    last = smoothed[-1] if smoothed else None
    return Series("loss", values, COLOR, dots, last=last), options
