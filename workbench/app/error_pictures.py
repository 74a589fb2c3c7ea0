"""The images that a run was wrong about, as pictures in characters; reads files, so in a thread."""

from collections.abc import Sequence
from functools import partial

from rich.text import Text

from workbench.export.pictures import RunPictures
from workbench.paths import Workspace
from workbench.render.half_blocks import drawn
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView

Box = tuple[int, int]  # cells, width and height


def error_pictures(
    workspace: Workspace, view: RunView, worst: Sequence[WorstError], box: Box, utf8: bool
) -> list[Text]:
    """A picture of each, in their order; where there is none, why."""
    pictures = RunPictures(workspace, source_of(view))
    return [drawn(partial(pictures.picture, error.path), *box, utf8) for error in worst]


def source_of(view: RunView) -> str:
    """The images that a run was given, as its spec has it; "" where it does not tell."""
    data = view.spec.get("data")
    return str(data.get("source", "")) if isinstance(data, dict) else ""
