"""The demo: a convnet on handwritten digits, which needs no network and a minute at most."""

from workbench.datasets.catalogue import fetch
from workbench.datasets.prepare import survey
from workbench.experiment.presets import preset_tree
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.paths import Workspace
from workbench.progress import silent
from workbench.runs.folder import RunFolder
from workbench.ui.start import Tell, start_run

PRESET = "convnet"
SETTINGS = ("evaluation.shift=2",)


def start_demo(workspace: Workspace, tell: Tell) -> RunFolder:
    """Starts the demo's run; takes a moment, so call it in a thread.

    Raises:
        UserError: the disk cannot be written, or the run cannot be started.
    """
    source = fetch("digits", workspace, silent)
    tree = apply_settings(preset_tree(PRESET, str(source), survey(source)), SETTINGS)
    return start_run(workspace, parse_spec(tree, PRESET), f"demo-{PRESET}", tell)
