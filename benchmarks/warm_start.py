"""How long from "start" to the first batch, in a new worker and in one that is warm?

    python benchmarks/warm_start.py [--rounds 3] [--json FILE]

Starts the demo's convnet on handwritten digits, whose images are prepared already. The clock runs
from the start of the run until its first progress of training.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path

from side_by_side import Row, by_seconds, in_turns, parser, show

from workbench.app.run_control import launch_new_run
from workbench.datasets.prepare import survey
from workbench.datasets.sources.catalogue import fetch
from workbench.experiment.presets import preset_tree
from workbench.experiment.toml import parse_spec
from workbench.paths import Workspace
from workbench.runs.launch import follow
from workbench.runs.process import WarmWorker

WARM_SECONDS = 15.0  # given to a worker before its run comes; it needs about eight


def first_step(workspace: Workspace, warm: bool) -> float:
    """Return the seconds from the start until the first step."""
    source = fetch("digits", workspace)
    tree = preset_tree("convnet", str(source), survey(source))
    # An epoch long enough for its progress to be seen while it lasts.
    tree["training"] = {**tree["training"], "epochs": 1, "steps_per_epoch": 500}
    spec = parse_spec(tree, "convnet")
    if not warm:
        return _until_step(workspace, spec, None)
    with closing(WarmWorker()) as worker:
        time.sleep(WARM_SECONDS)
        return _until_step(workspace, spec, worker)


def _until_step(workspace: Workspace, spec, worker: WarmWorker | None) -> float:
    began, found = time.time(), 0.0
    for event in follow(launch_new_run(workspace, spec, "digits", warm=worker)):
        if event.event == "progress" and not found:
            found = event.t - began
    return found


def measure(rounds: int) -> list[Row]:
    """Measure both in turns, after what is needed once for all."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        first_step(workspace, warm=False)
        found = in_turns(
            {
                "new": lambda: first_step(workspace, warm=False),
                "warm": lambda: first_step(workspace, warm=True),
            },
            rounds,
        )
    return [by_seconds("from start to the first batch", found["new"], found["warm"])]


if __name__ == "__main__":
    given = parser(__doc__, rounds=3).parse_args()
    show(measure(given.rounds), given.json)
