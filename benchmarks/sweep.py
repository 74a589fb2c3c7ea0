"""What does a sweep cost beyond its runs, and what does a waiting worker hold?

    python benchmarks/sweep.py [--heads 20] [--json FILE]

Trains heads on handwritten digits over a frozen base with random weights, one slot, each head with
another seed. The wall time of the sweep, from its start to the end of its last run, against the sum
of what its runs have worked, without waiting: promised is at most 1.1 times as much. The features
are cached before, by a run that does not count.
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
from workbench.runs.history import fold
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
    tree["training"] = {**tree["training"], "epochs": 40, "early_stopping": 0}
    made = []
    for seed in seeds:
        tree["training"]["seed"] = seed
        made.append(SweepTrial({}, seed, dump_spec(parse_spec(tree, "benchmark"))))
    return made


def sweep(workspace: Workspace, name: str, made: list[SweepTrial]) -> tuple[float, float]:
    """Return the seconds of a sweep, and the sum of those that its runs have worked."""
    prepared = prepare_sweep(workspace, SWEEP, name, "digits", made)
    began = time.time()
    start(workspace, prepared)
    feed = SweepFeed(workspace, prepared)
    while feed.poll() and not feed.ended:
        time.sleep(1)
    histories = [fold(read_events(run.events_path)) for run in run_folders(workspace, feed.sweep)]
    assert [history.phase for history in histories] == ["finished"] * len(made)
    ended = max(history.ended or 0.0 for history in histories)
    return ended - began, sum(history.seconds_worked or 0.0 for history in histories)


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
