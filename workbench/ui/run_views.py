"""The screens that a finished run opens from its curves and from its results alike."""

from workbench.runs.watch import RunView
from workbench.ui.base import WorkbenchScreen


class RunViews(WorkbenchScreen):
    """A screen about a run whose keys open others about it; which are offered is up to it."""

    _view: RunView | None = None

    def action_layers(self) -> None:
        """Open the layers."""
        self.workbench.open("layers", self.run)

    def action_export(self) -> None:
        """Open the export of report, model and script."""
        if self._view is not None:
            self.workbench.open("export", self._view)

    def action_analyze(self) -> None:
        """Open calibration and thresholds."""
        if self._view is not None:
            self.workbench.open("analyze", self._view)

    def action_explain(self) -> None:
        """Open Grad-CAM of the worst error; activations and filters are a key away."""
        self.workbench.open("explain", self.run, "gradcam")

    def action_review(self) -> None:
        """Open the review of images that may have wrong labels."""
        self.workbench.open("review", self.run)
