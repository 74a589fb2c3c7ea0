"""The images that a run was wrong about, as pictures in characters; reads files, so in a thread."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.text import Text

from workbench.datasets.npz_source import NpzImages
from workbench.datasets.store import find_folder, source_root
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.verdicts import WorstError
from workbench.ui.feed import RunView
from workbench.ui.halfblocks import fitted, no_picture, thumbnail
from workbench.ui.widgets.path_field import typed_path

Box = tuple[int, int]  # cells, width and height


def error_pictures(
    workspace: Workspace, view: RunView, worst: Sequence[WorstError], box: Box, utf8: bool
) -> list[Text]:
    """A picture of each, in their order; where there is none, why."""
    try:
        root = images_root(workspace, view)
    except (OSError, ValueError):  # the data folder cannot be read; the figures stand
        root = None
    draw = _drawer(root, box, utf8)
    return [draw(error.path) for error in worst]


def source_of(view: RunView) -> str:
    """The images that a run was given, as its spec has it; "" where it does not tell."""
    data = view.spec.get("data")
    return str(data.get("source", "")) if isinstance(data, dict) else ""


def images_root(workspace: Workspace, view: RunView) -> Path | None:
    """Where the paths of a run's images start: a folder, or an npz file; None if not known."""
    source = source_of(view)
    folder = Path(str(view.history.data.get("folder", "")))
    if not view.history.data.get("folder") or not (folder / "source.json").exists():
        found = find_folder(workspace, typed_path(source).absolute()) if source else None
        if found is None:
            return Path(source) if source else None
        folder = found
    root = source_root(folder)
    return root if root.is_absolute() else None


def _drawer(root: Path | None, box: Box, utf8: bool) -> Callable[[str], Text]:
    """What draws the image of a path below the root."""
    if root is None:
        return lambda path: no_picture("where the images lie is not known any more")
    if root.suffix == ".npz":
        return _npz_drawer(root, box, utf8)

    def draw(path: str) -> Text:
        try:
            return thumbnail(root / path, *box, utf8)
        except ValueError:  # a zero byte in the path
            return no_picture("its path cannot be one")

    return draw


def _npz_drawer(root: Path, box: Box, utf8: bool) -> Callable[[str], Text]:
    try:
        images = NpzImages(root)
    except UserError as error:
        problem = no_picture(error.message)
        return lambda path: problem

    def draw(path: str) -> Text:
        try:
            array: np.ndarray = images.array(path)
        except KeyError:
            return no_picture("it is not in its npz file any more")
        except UserError as error:
            return no_picture(error.message)
        return fitted(array if array.ndim == 3 else array[..., None], *box, utf8)

    return draw
