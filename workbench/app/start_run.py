"""Start a run, with the checks before it."""

from collections.abc import Callable

from workbench.datasets.prepare import survey
from workbench.datasets.sources.catalogue.entries import fetch
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.machine.gpus import GpuChoice
from workbench.machine.memory_check import gpu_notes
from workbench.machine.preflight import check_before_start
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs import start
from workbench.runs.folder import RunFolder
from workbench.runs.process import WarmWorker
from workbench.text import safe_text

DEMO = ("dense", "convnet")
DEMO_SHIFT = 2  # pixels by which test digits are moved as well

Notify = Callable[[str], None]


def ignore(message: str) -> None:
    """Show no message."""


def start_run(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    notify: Notify = ignore,
    queue: bool = False,
    warm: WarmWorker | None = None,
    environment: dict[str, str] | None = None,
    progress: Progress = silent,
    warn: Notify = ignore,
    queue_hint: str = "",
) -> RunFolder:
    """Check that a run can start, make its folder and start its worker.

    Takes a second or more with many images or a slow driver: call it in a thread.

    Args:
        workspace: of the run.
        spec: validated; its paths are absolute.
        stem: the name of a run whose spec has none, without its number.
        notify: called with the GPU and with what else uses it; not for a queued run, since both
            may be different when it starts.
        queue: True to wait for the runs that are running or queued.
        warm: a worker that may have been started already.
        environment: variables set for the worker beyond this process's own.
        progress: called while the images are listed.
        warn: called with doubts about the layout of the images.
        queue_hint: how to wait for other runs, added to the note on them.

    Raises:
        UserError: the images, the weights or the GPU are not usable, the name is taken, or the
            disk cannot be written; nothing is left of the run.
    """
    choice = check_before_start(spec, queue, progress, warn)
    if not queue:
        for note in _start_notes(workspace, choice, queue_hint):
            notify(note)
    return start.start(workspace, spec, stem, queue, warm, environment=environment)


def start_demo(workspace: Workspace, notify: Notify = ignore) -> list[RunFolder]:
    """Start a dense baseline on handwritten digits and queue a convnet behind it.

    Needs no network; call it in a thread.

    Raises:
        UserError: as `start_run`, or the digits cannot be written.
    """
    runs: list[RunFolder] = []
    for preset in DEMO:
        spec = demo_spec(workspace, preset)
        runs.append(start_run(workspace, spec, f"demo-{preset}", notify, queue=bool(runs)))
    return runs


def demo_spec(workspace: Workspace, preset: str, progress: Progress = silent) -> ExperimentSpec:
    """Return the spec of one run of the demo.

    Raises:
        UserError: the digits cannot be written.
    """
    source = fetch("digits", workspace, progress)
    tree = preset_tree(preset, str(source), survey(source, progress))
    return parse_spec({**tree, "evaluation": {"shift": DEMO_SHIFT}}, preset)


def _start_notes(workspace: Workspace, choice: GpuChoice, queue_hint: str) -> list[str]:
    """Return what is useful to know before a run starts and does not prevent it."""
    others = start.list_training_runs(workspace)
    slower = f"is training here too; both will be slower{queue_hint}."
    return [*gpu_notes(choice), *(f"{safe_text(run.name)} {slower}" for run in others)]
