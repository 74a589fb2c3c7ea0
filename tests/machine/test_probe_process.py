"""The small probes in child processes, and their reports as facts."""

import io
import itertools
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from waiting import GUARD

from workbench.experiment.sections import DataSpec
from workbench.machine import decoding as module
from workbench.machine.decoding import measure_decoding, synthetic_photograph
from workbench.machine.facts import Decoding, Libraries, Nvml
from workbench.machine.host_facts import Storage, System
from workbench.machine.probe import ProbeResult, run_probe
from workbench.runs.process import worker_command

GIB = 1 << 30


def run_named(*arguments: str, **environment: str) -> ProbeResult:
    command = worker_command("workbench.machine.probe_process", *arguments)
    return run_probe(command, GUARD, {**os.environ, **environment})


def report(result: ProbeResult) -> dict[str, Any]:
    """The one line of a report that ended well."""
    assert (result.outcome.status, result.outcome.stderr) == ("ok", "")
    (line,) = result.lines
    return line


@pytest.fixture(autouse=True)
def find_workbench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)


def test_system() -> None:
    system = System.model_validate(report(run_named("system")))
    assert system.cores == os.cpu_count()
    assert system.memory_total > GIB // 4


def test_libraries() -> None:
    libraries = Libraries.model_validate(
        report(
            run_named("libraries", KERAS_BACKEND="tensorflow", LD_LIBRARY_PATH="/no/such/folder")
        )
    )
    assert {wheel.name.startswith("nvidia-") for wheel in libraries.wheels} == {True}
    assert libraries.library_path == "/no/such/folder"


def test_storage(tmp_path: Path) -> None:
    work = tmp_path / os.fsdecode(b"caf\xe9 \n")
    result = run_named("storage", "--workspace", str(work), XDG_CACHE_HOME=str(tmp_path))
    storage = Storage.model_validate(report(result))
    assert [place.path for place in storage.places] == [
        work / "saved_models",
        work / "data",
        tmp_path / "workbench",
    ]
    assert all(place.writable for place in storage.places)
    assert list(tmp_path.iterdir()) == []


def test_decoding() -> None:
    decoding = Decoding.model_validate(report(run_named("decoding")))
    assert decoding.images_per_second > 1


def test_nvml_on_this_host() -> None:
    nvml = Nvml.model_validate(report(run_named("nvml")))
    assert bool(nvml.error) == (nvml.error_code is not None)


FAKE_PYNVML = """
class NVMLError(Exception):
    value = 3

def nvmlInit(): print("a library's chatter")
def nvmlShutdown(): pass
def nvmlSystemGetDriverVersion(): return "535.104.05"
def nvmlSystemGetCudaDriverVersion_v2(): return 12020
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return f"card {handle}"
def nvmlDeviceGetUUID(handle): raise NVMLError
"""


def with_pynvml(folder: Path, source: str) -> str:
    """A PYTHONPATH on which another module of that name comes first."""
    (folder / "pynvml.py").write_text(source)
    return f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}"


def test_nvml_of_another_module(tmp_path: Path) -> None:
    result = run_named("nvml", PYTHONPATH=with_pynvml(tmp_path, FAKE_PYNVML))
    assert result.outcome.stderr == "a library's chatter"
    (line,) = result.lines
    nvml = Nvml.model_validate(line)
    assert (nvml.driver, nvml.cuda) == ("535.104.05", (12, 2))
    assert [(gpu.index, gpu.name, gpu.uuid) for gpu in nvml.gpus] == [
        (0, "card 0", ""),
        (1, "card 1", ""),
    ]


@pytest.mark.parametrize(
    ("function", "outcome"),
    [
        (
            "import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed by signal SIGSEGV",
        ),
        ("raise RuntimeError('bad \\x1b[31m driver')", "failed with exit code 1"),
    ],
)
def test_a_driver_that_breaks_its_probe(function: str, outcome: str, tmp_path: Path) -> None:
    source = f"class NVMLError(Exception): ...\n\ndef nvmlInit():\n    {function}\n"
    result = run_named("nvml", PYTHONPATH=with_pynvml(tmp_path, source))
    assert f"{result.outcome.status} {result.outcome.detail}" == outcome
    assert result.lines == ()
    # Where it was: Python's own words in one case, the fault handler's in the other.
    assert "nvmlInit" in result.outcome.stderr
    assert "\x1b" not in result.outcome.stderr


def test_questions_that_are_none() -> None:
    for arguments in (("gpu",), ("storage",)):
        result = run_named(*arguments)
        assert (result.outcome.status, result.outcome.detail) == ("failed", "with exit code 2")
        assert "usage:" in result.outcome.stderr


def test_the_photograph_is_like_one() -> None:
    photograph = synthetic_photograph()
    assert 25_000 < len(photograph) < 40_000
    assert photograph == synthetic_photograph()
    with Image.open(io.BytesIO(photograph)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (500, 375))
        pixels = np.asarray(image)
    assert pixels.std() > 40


def test_images_are_counted_in_the_shape_that_is_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = set()
    load = module.load_array

    def noted(source: bytes, data: DataSpec) -> np.ndarray:
        array = load(source, data)
        shapes.add((array.shape, array.dtype))
        return array

    monkeypatch.setattr(module, "load_array", noted)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    # It begins at 0 s, takes an image each second until 8 are over, and is ready at 10.
    clock = itertools.chain([0.0], range(1, 9), itertools.repeat(10.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = measure_decoding(seconds=8.0)
    assert shapes == {((150, 150, 3), np.dtype("uint8"))}
    assert found.images_per_second == 7 / 10
    assert 0 <= found.busy <= 1
