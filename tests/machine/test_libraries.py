"""CUDA's libraries: required, installed, loaded one by one, with and without LD_LIBRARY_PATH."""

import ctypes
import importlib.metadata
import os
from pathlib import Path

import numpy.random._common
import pytest
from waiting import GUARD

from workbench.machine import libraries as module
from workbench.machine.facts import Libraries, Wheel
from workbench.machine.libraries import load, main_libraries, read_libraries, wanted_wheels

CLEAN = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
# A shared library that is surely here, as a Python extension is one.
WORKING = Path(numpy.random._common.__file__)
BROKEN = "this is no library\n" * 100


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may take long to load, except where a test sets a limit."""
    monkeypatch.setattr(module, "LOAD_SECONDS", GUARD)


def shadow(folder: Path, name: str) -> str:
    """A folder that holds a broken library of that name."""
    folder.mkdir()
    (folder / name).write_text(BROKEN)
    return str(folder)


def install(root: Path, name: str, version: str, files: dict[str, str | Path]) -> None:
    """Puts an installed package into a folder: description, list of files, and these files."""
    info = root / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file, content in files.items():
        place = root / file
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            place.symlink_to(content)
        else:
            place.write_text(content)


def test_what_tensorflow_asks_for() -> None:
    wheels = wanted_wheels(
        [
            "numpy>=1.26.0",
            'nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
            "nvidia-cudnn-cu12 (<10.0,>=9.3.0.75) ; extra == 'and-cuda'",
            'nvidia-nccl; platform_machine != "aarch64" and extra == "and-cuda"',
            'tensorflow-io-gcs-filesystem>=0.23.1; extra == "gcs-filesystem"',
        ]
    )
    assert wheels == (
        Wheel(name="nvidia-cublas-cu12", wanted="<13.0,>=12.5.3.2"),
        Wheel(name="nvidia-cudnn-cu12", wanted="<10.0,>=9.3.0.75"),
        Wheel(name="nvidia-nccl", wanted=""),
    )


def test_the_installed_tensorflow_asks_for_the_known_ones() -> None:
    names = {wheel.name.rpartition("-cu")[0] or wheel.name for wheel in wanted_wheels()}
    assert {"nvidia-cublas", "nvidia-cudnn", "nvidia-cufft", "nvidia-nccl"} <= names


def test_without_tensorflow_nothing_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert wanted_wheels() == ()


def test_only_main_libraries_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lib = "nvidia/cudnn/lib"
    names = ("libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn.so", "libcudnn.txt", "__init__.py")
    install(tmp_path, "nvidia-cudnn-cu12", "9.3.0", {f"{lib}/{name}": "" for name in names})
    monkeypatch.syspath_prepend(tmp_path)
    wheel = Wheel(name="nvidia-cudnn-cu12", version="9.3.0")
    assert main_libraries(wheel) == [tmp_path / lib / "libcudnn.so.9"]


def test_one_that_loads() -> None:
    found = load(WORKING, "numpy", CLEAN)
    assert (found.name, found.wheel) == (WORKING.name, "numpy")
    assert (found.error, found.error_without) == ("", None)


def test_one_that_is_broken(tmp_path: Path) -> None:
    broken = Path(shadow(tmp_path / "wheel", "libcudnn.so.9"), "libcudnn.so.9")
    found = load(broken, "nvidia-cudnn-cu12", CLEAN)
    assert found.error == f"{broken}: invalid ELF header"
    assert found.error_without is None


def test_one_that_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "libcudnn.so.9"
    found = load(missing, "nvidia-cudnn-cu12", CLEAN)
    assert found.error.startswith(f"{missing}: cannot open shared object file")


def test_library_path_hides_the_good_one(tmp_path: Path) -> None:
    folder = shadow(tmp_path / "old cuda", WORKING.name)
    environment = {**CLEAN, "LD_LIBRARY_PATH": f"/no/such/folder:{folder}"}
    found = load(WORKING, "numpy", environment)
    assert found.error == f"{folder}/{WORKING.name}: invalid ELF header"
    assert found.error_without == ""


def test_library_path_without_such_a_file_has_no_effect(tmp_path: Path) -> None:
    found = load(WORKING, "numpy", {**CLEAN, "LD_LIBRARY_PATH": str(tmp_path)})
    assert (found.error, found.error_without) == ("", "")


def test_a_file_for_another_processor_is_skipped(tmp_path: Path) -> None:
    other = bytearray(WORKING.read_bytes())
    other[4] = 3 - other[4]  # 32 bits instead of 64
    (tmp_path / WORKING.name).write_bytes(other)
    found = load(WORKING, "numpy", {**CLEAN, "LD_LIBRARY_PATH": str(tmp_path)})
    assert (found.error, found.error_without) == ("", "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed by signal SIGSEGV"),
        ("import sys; sys.exit(5)", "failed with exit code 5"),
        ("import time; time.sleep(60)", "hung after 1 s"),
    ],
)
def test_a_loader_that_dies_is_reported(
    script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOAD", script)
    if "hung" in message:
        monkeypatch.setattr(module, "LOAD_SECONDS", 1)
    assert load(WORKING, "numpy", CLEAN).error == message


def test_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = "nvidia/cublas/lib/libcublas.so.12", "nvidia/cudnn/lib/libcudnn.so.9"
    install(tmp_path, "nvidia-cublas-cu12", "12.9.0", {good: WORKING})
    install(tmp_path, "nvidia-cudnn-cu12", "9.3.0", {bad: BROKEN})
    monkeypatch.syspath_prepend(tmp_path)
    requirements = [
        f'{name}; extra == "and-cuda"'
        for name in ("nvidia-cublas-cu12", "nvidia-cudnn-cu12>=9", "nvidia-missing-cu12")
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements)
    environment = {**CLEAN, "KERAS_BACKEND": "tensorflow", "LD_LIBRARY_PATH": "/no/such/folder"}
    found = read_libraries(environment)
    assert found.library_path == "/no/such/folder"
    assert [(wheel.name, wheel.version) for wheel in found.wheels] == [
        ("nvidia-cublas-cu12", "12.9.0"),
        ("nvidia-cudnn-cu12", "9.3.0"),
        ("nvidia-missing-cu12", None),
    ]
    broken = f"{tmp_path / bad}: invalid ELF header"
    assert [library.model_dump() for library in found.libraries] == [
        {
            "name": "libcublas.so.12",
            "wheel": "nvidia-cublas-cu12",
            "error": "",
            "error_without": "",
        },
        {
            "name": "libcudnn.so.9",
            "wheel": "nvidia-cudnn-cu12",
            "error": broken,
            "error_without": broken,
        },
    ]


def test_other_backends_bring_their_own_libraries() -> None:
    found = read_libraries({**CLEAN, "KERAS_BACKEND": "torch"})
    assert (found.wheels, found.libraries, found.library_path) == ((), (), None)


def has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(has_cuda_driver(), reason="this box has NVIDIA's driver")
def test_without_a_driver_its_library_is_named() -> None:
    found = read_libraries({**CLEAN, "KERAS_BACKEND": "torch"})
    assert found == Libraries(
        cuda_driver_error="libcuda.so.1: cannot open shared object file: No such file or directory"
    )


@pytest.mark.parametrize(
    ("init", "strings", "code", "message"),
    [
        ("lambda flags: 0", "", 0, ""),
        ("lambda flags: 100", "value._obj.value = b'no CUDA-capable device'", 100, "no CUDA-cap"),
        ("lambda flags: 999", "", 999, "error 999"),
    ],
)
def test_the_drivers_own_result(
    init: str, strings: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In place of the library an object with its two functions.
    fake = f"""
import ctypes
class Cuda:
    cuInit = staticmethod({init})
    @staticmethod
    def cuGetErrorString(code, value):
        {strings or "pass"}
ctypes.CDLL = lambda name: Cuda
"""
    monkeypatch.setattr(module, "_CUDA_INIT", fake + module._CUDA_INIT)
    found = read_libraries({**CLEAN, "KERAS_BACKEND": "torch"})
    assert found.cuda_driver_code == code
    assert found.cuda_driver_error.startswith(message)
    assert bool(found.cuda_driver_error) == bool(message)


def test_the_children_find_no_foreign_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert load(WORKING, "numpy", {**CLEAN, "PYTHONPATH": str(tmp_path)}).error == ""
