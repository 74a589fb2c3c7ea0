"""Real processes share four devices while some of them are killed; 200 of them with FAULTS=all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from everything import EVERYTHING
from queue_stub import DEVICES

JOBS = 200 if EVERYTHING else 20


@pytest.mark.parametrize("seed", range(5 if JOBS == 200 else 1))
def test_no_two_runs_are_on_a_device_and_the_first_come_are_served_first(
    tmp_path: Path, seed: int
) -> None:
    subprocess.run(
        [sys.executable, "-m", "queue_stub", str(tmp_path), str(JOBS), str(seed)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"),
             "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )  # fmt: skip
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    log.sort(key=lambda event: event["t"])
    killed = {event["run"] for event in log if event["event"] == "kill"}
    started = {event["run"]: event for event in log if event["event"] == "start"}
    ended = {event["run"] for event in log if event["event"] == "end"}
    names = [f"job-{number}" for number in range(JOBS)]
    assert [name for name in names if name not in killed and name not in ended] == []
    assert killed

    for device in DEVICES:
        user = None
        for event in log:
            if event["event"] == "start" and event["device"] == device:
                assert user is None, f"{event['run']} beside {user}"
                user = event["run"]
            elif event["event"] in ("end", "kill") and event["run"] == user:
                user = None
    # A run goes ahead of an earlier one only where a free device is left to that one.
    taken = [started[name]["taken"] for name in names if name in started]
    for at, moment in enumerate(taken):
        assert sum(earlier > moment for earlier in taken[:at]) < len(DEVICES)
