"""The learning-rate range test as a plot."""

from collections.abc import Sequence

from workbench.experiment.lr_find import Suggestion, rate_at, shown, smoothed_losses
from workbench.render.plot import PlotOptions
from workbench.render.plot_canvas import Series

COLOR = "#5fafd7"
ROOM = 1.3  # times the highest loss before the lowest: the top of the plot


def curve(
    losses: Sequence[float], steps: int, found: Suggestion, utf8: bool
) -> tuple[Series, PlotOptions]:
    """The smoothed losses over the logarithm of the rate, those of the batches as dots behind.

    Args:
        losses: of each step's batch; fewer than `steps` where the loss blew up.
    """
    smoothed = smoothed_losses(losses)
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    top = ROOM * max(smoothed[: lowest + 1], default=1.0)  # the blow-up would press all else flat
    values = tuple(min(loss, top) for loss in smoothed)
    dots = tuple(loss if loss <= top else None for loss in losses)
    rates = [shown(rate_at(step, steps)) for step in range(len(losses))]
    options = PlotOptions(
        epochs=len(losses),
        borders=((1, shown(rate_at(0, steps))),),
        best=rates.index(shown(found.rate)) + 1 if found.rate else None,
        best_name=shown(found.rate) if found.rate else "",
        end_name=rates[-1] if rates else "",
        utf8=utf8,
        empty="the loss is no number",
    )
    last = smoothed[-1] if smoothed else None
    return Series("loss", values, COLOR, dots, last=last), options
