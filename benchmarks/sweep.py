"""What does a sweep cost beyond its runs?

    python benchmarks/sweep.py [--heads 20] [--json FILE]

Trains heads on handwritten digits over a frozen base with random weights, one slot, each head with
another seed. The wall time of the sweep, from its start to the end of its last run, against the sum
of its runs' own times, each from its turn to its end: promised is at most 1.1 times as much. The
features are cached before, by a run that does not count. No other run may be queued meanwhile: all
workspaces share the queue.
"""

import tempfile
import time
from pathlib import Path

from side_by_side import Row, parser, show

from workbench.app.sweep import SweepFeed
from workbench.datasets.prepare import survey
from workbench.datasets.sources.catalogue import fetch
from workbench.experiment.presets import preset_tree
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.event_log import read_events
from workbench.runs.events import Event, Preparing
from workbench.runs.sweep import SweepTrial, prepare_sweep, run_folders
from workbench.runs.sweep_queue import start
from workbench.runs.sweep_record import SWEEP

WAYS = ("the runs' own time", "the sweep")
MOST = 1.1  # times the sum of its runs' own times


def trials(workspace: Workspace, seeds: range) -> list[SweepTrial]:
    """Return a head for each seed."""
    source = fetch("digits", workspace)
    tree = preset_tree(
        "feature-extraction", str(source), survey(source), "mobilenetv2-0.35", "random"
    )
    tree["data"]["image_size"] = [32, 32]
    tree["training"] = {**tree["training"], "epochs": 10, "early_stopping": 0}
    made = []
    for seed in seeds:
        tree["training"]["seed"] = seed
        made.append(SweepTrial({}, seed, dump_spec(parse_spec(tree, "benchmark"))))
    return made


def sweep(workspace: Workspace, name: str, made: list[SweepTrial]) -> tuple[float, float]:
    """Return the seconds of a sweep, and the sum of its runs' own."""
    prepared = prepare_sweep(workspace, SWEEP, name, "digits", made)
    began = time.time()
    start(workspace, prepared)
    feed = SweepFeed(workspace, prepared)
    while feed.poll() and not feed.ended:
        time.sleep(1)
    logs = [list(read_events(run.events_path)) for run in run_folders(workspace, feed.sweep)]
    assert [log[-1].event for log in logs] == ["finished"] * len(made)
    return max(map(_end, logs)) - began, sum(_end(log) - _turn(log) for log in logs)


def _end(log: list[Event]) -> float:
    return log[-1].t or 0.0


def _turn(log: list[Event]) -> float:
    """Return when a run's turn came: the event after its last one of waiting."""
    waited = [at for at, one in enumerate(log) if isinstance(one, Preparing) and one.is_waiting]
    return log[waited[-1] + 1 if waited else 0].t or 0.0


def measure(heads: int) -> list[Row]:
    """Measure one sweep."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        sweep(workspace, "features", trials(workspace, range(1)))
        wall, worked = sweep(workspace, "heads", trials(workspace, range(1, heads + 1)))
    work = f"{heads} heads on one slot"
    return [
        Row(work, worked, wall, "s", worked / wall, 1 / MOST, note=f"{wall / worked:.3f} times")
    ]


if __name__ == "__main__":
    options = parser(__doc__, rounds=1)
    options.add_argument("--heads", type=int, default=20)
    given = options.parse_args()
    show(measure(given.heads), given.json, WAYS)
