"""Kills at random moments, several in a run, until it finishes.

RANDOM_KILLS_SEED=7 RANDOM_KILLS=20 pytest tests/faults/test_random_kills.py
"""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from everything import EVERYTHING
from outcome import Reference, differences, outcome
from sessions import begin, new_run, printed, run_session, wait_for_end

from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("faults")]

SEED = int(os.environ.get("RANDOM_KILLS_SEED", random.SystemRandom().randrange(10**6)))
KILLS = int(os.environ.get("RANDOM_KILLS", "12" if EVERYTHING else "2"))
# Event to wait for, and at most so many seconds more: reading the images and importing keras takes
# about two seconds, training one.
WAITS = (("worker_started", 2.0), ("stage_started", 1.0), ("checkpoint_saved", 0.5))


@pytest.mark.parametrize("spec", ["small", "full"] if EVERYTHING else ["small"])
def test_random_kills_do_not_change_the_result(
    workspace: Path, reference: Reference, spec: str
) -> None:
    print(f"RANDOM_KILLS_SEED={SEED} RANDOM_KILLS={KILLS}")
    drawn = random.Random(SEED)
    run = new_run(workspace, spec)
    for number in range(KILLS):
        kind, seconds = drawn.choice(WAITS)
        delay = drawn.uniform(0, seconds)
        print(f"kill {number + 1}: {delay:.3f} seconds after {kind}")
        if not killed(run, number > 0, kind, delay):
            break
    else:
        assert run_session(run, resume=True).ends == "finished", printed(run)
    assert differences(outcome(run), reference(spec)) == []


def killed(run: RunFolder, resume: bool, kind: str, delay: float) -> bool:
    """Kill a worker some seconds after an event; return False if it finished before."""
    before = max((event.n for event in read_events(run.events_path)), default=0)
    pid = begin(run, resume)
    events = (event for event in follow(run, poll=0.01) if event.n > before)
    next((event for event in events if event.event == kind), None)
    time.sleep(delay)  # until the kill: nothing is waited for
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    session = wait_for_end(run, pid)
    assert session.ends in ("interrupted", "finished"), printed(run)
    return session.ends == "interrupted"
