"""Links to images in a folder for each label: the images stay where they are."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of


def make_folder(folder: Path) -> None:
    """Make an empty folder for links.

    Raises:
        UserError: It holds something already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(
                tr("{folder} is not empty.", folder=safe_text(folder)),
                tr("Name a new folder: links of an earlier prediction would stay among the new."),
            )
    except OSError as error:
        raise UserError(
            tr(
                "{folder} cannot be used: {reason}.",
                folder=safe_text(folder),
                reason=safe_text(reason_of(error)),
            )
        ) from error


def link_by_label(folder: Path, labelled: Iterable[tuple[str, str]]) -> int:
    """Make a link folder/<label>/<name> to each image; return how many.

    Images of the same name get a number: two cameras both have an IMG_0001.jpg.

    Args:
        folder: Empty, see `make_folder`.
        labelled: Absolute path and label of each image.

    Raises:
        OSError: A link cannot be made.
    """
    count = 0
    names: dict[Path, Counter[str]] = defaultdict(Counter)
    folders: dict[str, Path] = {}
    for path, label in labelled:
        if label not in folders:
            folders[label] = _unused(folder, _folder_name(label), names[folder])
            folders[label].mkdir()
        _unused(folders[label], Path(path).name, names[folders[label]]).symlink_to(path)
        count += 1
    return count


def _folder_name(label: str) -> str:
    """Return a label as the name of one folder; tables have labels that no folder could have."""
    return label.replace("/", "_").replace("\0", "_").lstrip(".") or "_"


def _unused(folder: Path, name: str, used: Counter[str]) -> Path:
    """Return a path for a name that was not used so far, with a number where it was."""
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in itertools.count(used[name] + 1):
        path = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        if not (path.is_symlink() or path.exists()):
            used[name] = number
            break
    return path
