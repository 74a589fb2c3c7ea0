"""A lesson from its images to stored results, for the CLI and the UI."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.app.jobs import JobHandle, report_progress, run_job
from workbench.bases.weights import IMAGENET
from workbench.datasets.prepare import survey
from workbench.datasets.sources.catalogue import fetch
from workbench.errors import UserError
from workbench.lessons.catalogue import (
    JOB,
    build_results,
    load_results,
    make_request,
    newest_results,
    results_path,
    save_results,
)
from workbench.lessons.lesson import Lesson, LessonResults
from workbench.lessons.variants import LessonInputs
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent


@dataclass(frozen=True)
class LessonImages:
    """The images of a lesson.

    Attributes:
        name: as it was typed: a set of the catalogue, or a path.
        path: absolute; None for a set of the catalogue.
    """

    name: str
    path: Path | None = None

    def place(self, workspace: Workspace) -> Path:
        """Return their path, whether or not they are downloaded yet."""
        return self.path or workspace.data / self.name / "source"

    def bring(self, workspace: Workspace, progress: Progress = silent) -> Path:
        """Return their path; a missing set of the catalogue is downloaded.

        Raises:
            UserError: the download failed.
        """
        return self.path or fetch(self.name, workspace, progress)


@dataclass(frozen=True)
class LessonInput:
    """The input of a lesson: images, and weights if it has a base.

    Attributes:
        weights: "imagenet", "random" or a file, absolute.
    """

    images: LessonImages = LessonImages("digits")
    weights: str = IMAGENET


def lesson_setting(
    source: Path, weights: str = IMAGENET, progress: Progress = silent
) -> LessonInputs:
    """Survey the images and return the setting that variants are fitted to.

    `source` is an absolute path, `weights` are those of the base.

    Raises:
        UserError: the images cannot be read.
    """
    return LessonInputs(str(source), survey(source, progress), weights)


def stored_results(workspace: Workspace, lesson: str, images: LessonImages) -> LessonResults | None:
    """Return the stored results on these images, or else the newest on any images."""
    path = results_path(workspace, lesson, images.name, images.place(workspace))
    return load_results(path) or newest_results(workspace, lesson)


def unmet_requirement(lesson: Lesson, setting: LessonInputs) -> str:
    """Return why the lesson does not work with these images; "" if it does."""
    try:
        lesson.variants(setting)
    except UserError as error:
        return error.message
    return ""


def run_lesson(
    workspace: Workspace,
    lesson: Lesson,
    setting: LessonInputs,
    data: str,
    seeds: Sequence[int],
    progress: Progress,
    on_start: Callable[["subprocess.Popen[bytes]"], None] = lambda process: None,
) -> LessonResults:
    """Let a worker train the variants, and store the results.

    `data` are the images as they were typed; `on_start` is that of `run_job`.

    Raises:
        UserError: the lesson does not fit the images, or the worker failed.
    """
    variants = lesson.variants(setting)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True) as scratch:
        request = make_request(lesson, variants, seeds, Path(scratch))
        result = run_job(JOB, request, report_progress(progress), on_start=on_start)
    seconds = time.monotonic() - started
    results = build_results(lesson, variants, setting, data, seeds, result, seconds)
    save_results(workspace, results)
    return results


@dataclass(frozen=True)
class LessonJob:
    """A lesson to run; without an experiment only the images are surveyed."""

    lesson: Lesson | None
    on: LessonInput
    seeds: tuple[int, ...] = ()
    handle: JobHandle = field(default_factory=JobHandle)

    @property
    def title(self) -> str:
        """A few words."""
        return self.lesson.name if self.lesson else tr("scanning the images")

    def run(
        self, workspace: Workspace, progress: Progress
    ) -> tuple[LessonInputs, LessonResults | None]:
        """Run it; without an experiment there are no results.

        Raises:
            UserError: as `run_lesson` and `lesson_setting`, or it was cancelled.
        """
        progress = self.handle.interruptible(progress)
        source = self.on.images.bring(workspace, progress)
        setting = lesson_setting(source, self.on.weights, progress)
        if self.lesson is None:
            return setting, None
        name, attach = self.on.images.name, self.handle.attach
        results = run_lesson(workspace, self.lesson, setting, name, self.seeds, progress, attach)
        return setting, results
