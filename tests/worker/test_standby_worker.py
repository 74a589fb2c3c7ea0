"""Workers on standby, with keras."""

import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from person import Person

from workbench.app.run_control import launch_new_run
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.runs.process import WarmWorker
from workbench.worker.startup import WarmState

pytestmark = pytest.mark.worker


def spec(person: Person, **training: object) -> ExperimentSpec:
    tree = {
        "data": {"source": str(person.workspace / "photos"), "image_size": [16, 16]},
        "model": {"strategy": "convnet", "filters": [4]},
        "training": {"epochs": 1, "early_stopping": 0, **training},
    }
    return parse_spec(tree, "test")


def train(person: Person, chosen: ExperimentSpec, worker: WarmWorker | None = None) -> RunFolder:
    run = launch_new_run(Workspace(person.workspace), chosen, "photos", warm=worker)
    *_, last = follow(run)
    assert last.event == "finished", run.log_path.read_text()
    return run


def pid_of(person: Person, run: RunFolder) -> int:
    return next(e["pid"] for e in person.events(run.name) if e["event"] == "worker_started")


def was_warm(person: Person, run: RunFolder) -> bool:
    return next(e["warm"] for e in person.events(run.name) if e["event"] == "worker_started")


def arrays(run: RunFolder) -> dict[str, np.ndarray]:
    with np.load(run.checkpoints / "last.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize(
    ("run", "shown"), [("birds-12", "wb:birds-12"), ("cats_dogs_flat-1", "wb:cats_dogs_fl")]
)
def test_process_shows_the_run_name(run: str, shown: str) -> None:
    code = f"from workbench.worker.session import name_process; name_process({run!r})"
    read = "print(open('/proc/self/comm').read(), end='')"
    command = [sys.executable, "-c", f"{code}; {read}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{shown}\n"


def test_standby_worker_trains_like_a_new_one(person: Person) -> None:
    """Bit by bit if the run is deterministic; a step was taken without, so the process restarts."""
    exact = spec(person, deterministic=True)
    new = train(person, exact)
    with closing(WarmWorker()) as one, closing(WarmWorker()) as other:
        assigned, restarted = train(person, spec(person), one), train(person, exact, other)
    pids = [pid_of(person, run) for run in (assigned, restarted)]
    assert pids == [one.process.pid, other.process.pid]
    assert pid_of(person, new) not in pids
    assert [was_warm(person, run) for run in (new, assigned, restarted)] == [False, True, False]
    expected, found, same = (arrays(run) for run in (new, assigned, restarted))
    assert {name: (a.shape, a.dtype) for name, a in found.items()} == {
        name: (a.shape, a.dtype) for name, a in expected.items()
    }
    assert same.keys() == expected.keys()
    assert all(same[name].tobytes() == expected[name].tobytes() for name in same)


@pytest.mark.parametrize(
    ("stepped", "training", "suits"),
    [
        (False, {"deterministic": True, "gpu": 1}, True),
        (True, {"deterministic": False, "gpu": "auto"}, True),
        (True, {"deterministic": False, "gpu": "none"}, True),
        (True, {"deterministic": True}, False),
        (True, {"gpu": 1}, False),
        (True, {"devices": 2}, False),
        (False, {"devices": 2}, True),
    ],
)
def test_warm_state_suits_a_run(
    stepped: bool, training: dict[str, object], suits: bool, person: Person
) -> None:
    assert WarmState(stepped).suits(spec(person, **training)) is suits


BESIDE_A_GPU = """
import sys
from workbench.worker import startup as warm

warm.has_gpu_device = lambda environment: True
print(warm.warm_up())
print("keras" in sys.modules)
if "keras" in sys.modules:
    from tensorflow.python.eager import context

    print(context.context()._physical_devices, context.context()._context_handle)
"""


@pytest.mark.parametrize(
    ("backend", "printed"),
    [
        ("tensorflow", ["WarmState(stepped=False)", "True", "None None"]),
        ("torch", ["WarmState(stepped=False)", "False"]),  # whose import starts the driver
    ],
)
def test_warm_up_uses_no_device_with_a_gpu(
    person: Person, backend: str, printed: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_A_GPU], capture_output=True, text=True, check=True,
        env={**person.environment, "KERAS_BACKEND": backend},
    )  # fmt: skip
    assert done.stdout.splitlines() == printed
