"""From a draft to a run: what is looked at before, and the start itself."""

from collections.abc import Callable

from workbench.datasets.catalogue import fetch
from workbench.datasets.prepare import survey
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.machine.gpus import Choice
from workbench.machine.memory_check import gpu_notes
from workbench.machine.preflight import look_before_start
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.standby import WarmWorker
from workbench.runs.start import others_at_work, start
from workbench.text import safe_text

DEMO = ("dense", "convnet")
DEMO_SHIFT = 2  # pixels by which test digits are moved as well

Tell = Callable[[str], None]


def start_run(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    tell: Tell = lambda words: None,
    queue: bool = False,
    warm: WarmWorker | None = None,
) -> RunFolder:
    """Looks whether a run can begin, makes its folder and starts its worker.

    Takes a second or more with many images or a slow driver: call it in a thread.

    Args:
        stem: what a nameless run is called after.
        tell: called with what is good to know and hinders nothing.
        queue: True to have it wait for runs that are at work: whoever holds the GPU's memory may
            be gone by then.
        warm: a worker that may have been started already.

    Raises:
        UserError: the images, the weights or the GPU are not as they should be, the name is
            taken, or the disk cannot be written; nothing trains then.
    """
    choice = look_before_start(spec, queue)
    if not queue:
        for words in notes(workspace, choice):
            tell(words)
    return start(workspace, spec, stem, queue, warm)


def start_demo(workspace: Workspace, tell: Tell = lambda words: None) -> list[RunFolder]:
    """A dense baseline and, behind it in the queue, a convnet on handwritten digits.

    Needs no network; call it in a thread.

    Returns:
        The two runs; the first begins at once.

    Raises:
        UserError: as `start_run`, or the digits cannot be made.
    """
    source = fetch("digits", workspace)
    facts = survey(source)
    runs: list[RunFolder] = []
    for preset in DEMO:
        tree = preset_tree(preset, str(source), facts)
        tree["evaluation"] = {"shift": DEMO_SHIFT}
        spec = parse_spec(tree, preset)
        runs.append(start_run(workspace, spec, f"demo-{preset}", tell, queue=bool(runs)))
    return runs


def notes(workspace: Workspace, choice: Choice) -> list[str]:
    """What is good to know before a run begins."""
    found = gpu_notes(choice)
    found += [
        f"{safe_text(run.name)} is training here too; both will be slower."
        for run in others_at_work(workspace)
    ]
    return found
