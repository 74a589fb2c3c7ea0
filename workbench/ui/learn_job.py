"""An experiment from the question to kept results, for the command line and for the app."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.datasets.prepare import survey
from workbench.learn.asking import JOB, make_request, results_of
from workbench.learn.catalogue import Experiment
from workbench.learn.keeping import keep_results
from workbench.learn.results import Results
from workbench.learn.variants import Setting
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.events import Event
from workbench.runs.jobs import run_job

IMAGENET = "imagenet"


def setting_for(source: Path, weights: str = IMAGENET, progress: Progress = silent) -> Setting:
    """What variants are fitted to.

    Args:
        source: the images, an absolute path.
        weights: of the base.

    Raises:
        UserError: they cannot be read.
    """
    return Setting(str(source), survey(source, progress), weights)


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
