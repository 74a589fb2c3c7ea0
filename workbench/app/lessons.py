"""An experiment from the question to kept results, for the command line and for the app."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.app.stopping import Stop
from workbench.bases.weights import IMAGENET
from workbench.datasets.catalogue import fetch
from workbench.datasets.prepare import survey
from workbench.errors import UserError
from workbench.lessons.catalogue import Experiment
from workbench.lessons.requests import JOB, make_request, results_of
from workbench.lessons.results import Results
from workbench.lessons.store import keep_results, newest_results, read_results, results_path
from workbench.lessons.variants import Setting
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.events import Event
from workbench.runs.jobs import run_job


@dataclass(frozen=True)
class Images:
    """What experiments are tried on.

    Attributes:
        name: as a person named it: a set of the catalogue, or a path.
        path: absolute; None for a set of the catalogue.
    """

    name: str
    path: Path | None = None

    def place(self, workspace: Workspace) -> Path:
        """Where they lie, or will once they are fetched."""
        return self.path or workspace.data / self.name / "source"

    def bring(self, workspace: Workspace, progress: Progress = silent) -> Path:
        """Their path; a set of the catalogue is fetched where it is missing.

        Raises:
            UserError: it cannot be fetched.
        """
        return self.path or fetch(self.name, workspace, progress)


@dataclass(frozen=True)
class TriedOn:
    """What an experiment takes: images, and weights where it has a base.

    Attributes:
        weights: "imagenet", "random" or a file, absolute.
    """

    images: Images = Images("digits")
    weights: str = IMAGENET


def setting_for(source: Path, weights: str = IMAGENET, progress: Progress = silent) -> Setting:
    """What variants are fitted to.

    Args:
        source: the images, an absolute path.
        weights: of the base.

    Raises:
        UserError: they cannot be read.
    """
    return Setting(str(source), survey(source, progress), weights)


def shown_results(workspace: Workspace, experiment: str, images: Images) -> Results | None:
    """The results that were kept on these images; else the newest, on whatever images."""
    path = results_path(workspace, experiment, images.name, images.place(workspace))
    return read_results(path) or newest_results(workspace, experiment)


def hindrance(experiment: Experiment, setting: Setting) -> str:
    """Why the experiment cannot be made of these images; "" where it can."""
    try:
        experiment.variants(setting)
    except UserError as error:
        return error.message
    return ""


def perform(
    workspace: Workspace,
    experiment: Experiment,
    setting: Setting,
    data: str,
    seeds: Sequence[int],
    progress: Progress,
    on_start: Callable[["subprocess.Popen[bytes]"], None] = lambda process: None,
) -> Results:
    """Has a worker train the variants, and keeps the results.

    Args:
        data: the images as the person named them.
        on_start: as `run_job` has it.

    Raises:
        UserError: the experiment does not fit the images, or the worker failed.
    """

    def on_event(event: Event) -> None:
        if event.get("event") == "progress":
            progress(str(event["phase"]), int(event["done"]), int(event["total"]))

    variants = experiment.variants(setting)
    scratch = Path(tempfile.mkdtemp(prefix="workbench-learn-"))
    started = time.monotonic()
    try:
        request = make_request(experiment, variants, seeds, scratch)
        answer = run_job(JOB, request, on_event, on_start=on_start)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # the worker has ended by now
    seconds = time.monotonic() - started
    results = results_of(experiment, variants, setting, data, seeds, answer, seconds)
    keep_results(workspace, results)
    return results


@dataclass(frozen=True)
class Job:
    """What is to be done: an experiment, or without one a look at images that were chosen."""

    experiment: Experiment | None
    on: TriedOn
    seeds: tuple[int, ...] = ()
    stop: Stop = field(default_factory=Stop)

    @property
    def title(self) -> str:
        """A word or a few."""
        return self.experiment.name if self.experiment else "looking at the images"

    def perform(self, workspace: Workspace, progress: Progress) -> tuple[Setting, Results | None]:
        """Does it; there are no results without an experiment.

        Raises:
            UserError: as `perform` and `setting_for`, and where it was stopped.
        """
        progress = self.stop.heeded(progress)
        source = self.on.images.bring(workspace, progress)
        setting = setting_for(source, self.on.weights, progress)
        if self.experiment is None:
            return setting, None
        data, started = self.on.images.name, self.stop.started
        results = perform(workspace, self.experiment, setting, data, self.seeds, progress, started)
        return setting, results
