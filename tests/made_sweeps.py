"""Made-up records of ladders and sweeps, with or without the folders of their runs."""

import json
from collections.abc import Sequence

from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.runs.sweep import Sweep, SweepTrial, find_sweep
from workbench.runs.sweep_record import SWEEP, SweepRecord, create_record


def made_ladder(
    workspace: Workspace, name: str, data: str, specs: Sequence[tuple[str, str]]
) -> Sweep:
    """Make the runs of a ladder and its record, as before ladders were sweeps."""
    rungs = [
        {"preset": preset, "run": create_run(workspace, spec, None, f"{data}-{preset}").name}
        for preset, spec in specs
    ]
    path = workspace.runs / f"{name}.ladder.json"
    path.write_text(json.dumps({"format": 1, "rungs": rungs}), encoding="ascii")
    return find_sweep(workspace, name)


def made_sweep(
    workspace: Workspace,
    name: str,
    trials: Sequence[SweepTrial],
    queued: bool = False,
    prune: str = "",
) -> Sweep:
    """Record a sweep whose trials have no runs yet unless they name them."""
    queue = tuple(range(len(trials))) if queued else ()
    made = Sweep(SweepRecord(name, SWEEP), tuple(trials), queue, prune=prune)
    create_record(workspace, SWEEP, name, "", made.tables())
    return made
