"""What can be taken home from a run, and how each is made. Knows nothing of Textual."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from workbench.app.export_run import export_run
from workbench.downloads.folders import disk_faults
from workbench.export.formats import FORMATS
from workbench.export.report import write_report
from workbench.export.run_data import run_facts
from workbench.export.script_folder import write_script
from workbench.export.tensorboard import write_scalars
from workbench.paths import Workspace, given_path
from workbench.progress import Progress
from workbench.runs.folder import RunFolder, safe_stem
from workbench.text import safe_text

Make = Callable[[Workspace, RunFolder, Path, Progress], str]


@dataclass(frozen=True)
class Keepsake:
    """A thing to take home.

    Attributes:
        title: a few words.
        words: what it is, a sentence.
        make: makes it below a folder, under a name that is free; returns what was made, safe to
            print. Raises UserError.
    """

    title: str
    words: str
    make: Make


def folder_to_write(typed: str) -> Path:
    """The folder that a person names, made where it is not there.

    Raises:
        UserError: it cannot be made, or nothing can be written into it.
    """
    folder = given_path(typed.strip(), new=True).absolute()
    with disk_faults(folder, "Nothing was made.", "name another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder


def free_path(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that nothing is at."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _report(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    page = free_path(into / f"{safe_stem(run.name)}.html")
    return safe_text(write_report(workspace, run, page), 1000)


def _model(name: str) -> Make:
    def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
        target = free_path(into / f"{safe_stem(run.name)}-{name}")
        made = export_run(workspace, run, (name,), target, progress=progress)
        [tried] = made.tried
        return (
            f"{safe_text(made.folder, 1000)}\nLoaded again in a fresh process and tried on "
            f"{tried.images} images: no probability differs by more than {tried.difference:.2g} "
            "from the original's. README.md in it tells how to load it."
        )

    return make


def _script(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    script, images = write_script(
        run_facts(run), free_path(into / f"train_{safe_stem(run.name)}.py")
    )
    return f"{safe_text(script, 1000)}\nand beside it {safe_text(images.name)}, the list of images."


def _scalars(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    folder = free_path(into / f"{safe_stem(run.name)}-tensorboard")
    return f"{safe_text(write_scalars(run, folder), 1000)}\nSee: tensorboard --logdir with it."


KEEPSAKES = (
    Keepsake(
        "Report",
        "One HTML page: curves, layers, confusions and the worst errors as pictures. It asks for "
        "nothing from anywhere: send it, print it.",
        _report,
    ),
    *(
        Keepsake(
            one.title,
            f"The model as {one.title}, labels and preprocessing inside, with a model card; loaded "
            "again and tried on test images before it is called done.",
            _model(one.name),
        )
        for one in FORMATS.values()
    ),
    Keepsake(
        "Keras script",
        "The same training as a student would write it: Keras, numpy and Pillow alone.",
        _script,
    ),
    Keepsake("TensorBoard", "Loss, accuracy and learning rate of every epoch.", _scalars),
)
