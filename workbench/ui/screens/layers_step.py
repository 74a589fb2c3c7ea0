"""The choice of layers as a step of a new experiment."""

from collections.abc import Callable

from rich.text import Text

from workbench.experiment.spec import ExperimentSpec
from workbench.machine.figures import Figures
from workbench.ui.draft import Draft
from workbench.ui.screens.layers import ChooseLayersScreen
from workbench.ui.widgets.step_rail import rail_heading


class LayersStep(ChooseLayersScreen):
    """Chooses the layers of a draft.

    Args:
        draft: with the facts of its images.
        spec: what it comes to now.
        figures: what the machine was measured to do; None where it was not.
        on_done: called with the changed spec when the choice is made.
    """

    def __init__(
        self,
        draft: Draft,
        spec: ExperimentSpec,
        figures: Figures | None,
        on_done: Callable[[ExperimentSpec], None],
    ) -> None:
        assert draft.facts is not None
        super().__init__(spec, draft.facts, figures, on_done)
        self.draft = draft

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "layers", self.draft.settled, self.workbench.utf8)
