"""CUDA's shared libraries: which the framework requires, which are installed, which load.

TensorFlow reports that some library is missing but not which one, so each is loaded by itself. A
library that crashes while it is loaded ends only a child process.
"""

import importlib.metadata
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workbench.machine.backends import chosen_backend, installed_version
from workbench.machine.facts import Libraries, Library, Wheel
from workbench.machine.probe import MIN_SHARE, run_probe
from workbench.runs.process import WORKING_FOLDER
from workbench.text import safe_text

LIBRARY_PATH = "LD_LIBRARY_PATH"
LOAD_SECONDS = 5.0
_THREADS = 4
_MESSAGE_LENGTH = 500  # characters of a loader's message, which may name two long paths

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*\(?([^;()]*)\)?\s*;(.*)")
_FOR_CUDA = re.compile(r"""extra\s*==\s*["']and-cuda["']""")
# Those that a framework opens by name. They open their helpers themselves.
_MAIN_LIBRARY = re.compile(
    r"lib(cudart|cublas|cublasLt|cufft|curand|cusolver|cusparse|cudnn|nccl|nvJitLink|cupti|nvrtc)"
    r"\.so(\.\d+)+"
)

# Both end by themselves, in case the parent ends first. Of a library's two paths the second counts
# where the loader skipped the first, such as a file for another kind of processor.
_LOAD = """
import ctypes, json, os, signal, sys
signal.alarm(int(sys.argv[1]))
for target in sys.argv[2].split("\\n"):
    try:
        ctypes.CDLL(target)
        error = ""
    except OSError as raised:
        error = str(raised)
    if not error.startswith((target + ": cannot open shared", target + ": wrong ELF class")):
        break
os.write(int(sys.argv[-1]), json.dumps({"error": error}).encode())
"""
_CUDA_INIT = """
import ctypes, json, os, signal, sys
signal.alarm(int(sys.argv[1]))
try:
    cuda = ctypes.CDLL("libcuda.so.1")
    code = cuda.cuInit(0)
except (OSError, AttributeError) as raised:
    code, error = None, str(raised)
else:
    words = ctypes.c_char_p()
    cuda.cuGetErrorString(code, ctypes.byref(words))
    error = (words.value or b"error %d" % code).decode("utf-8", "replace") if code else ""
os.write(int(sys.argv[-1]), json.dumps({"code": code, "error": error}).encode())
"""


def read_libraries(environment: Mapping[str, str]) -> Libraries:
    """Load the libraries of the framework's CUDA packages, each in a process of its own.

    Args:
        environment: all variables; with LD_LIBRARY_PATH as it is, and without it where it is set.
    """
    wheels = wanted_wheels() if chosen_backend(environment) == "tensorflow" else ()
    files = [
        (wheel.name, path) for wheel in wheels if wheel.version for path in main_libraries(wheel)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        driver = pool.submit(_cuda_init, environment)
        libraries = tuple(pool.map(lambda one: load(one[1], one[0], environment), files))
        code, error = driver.result()
    return Libraries(
        wheels=wheels,
        libraries=libraries,
        library_path=environment.get(LIBRARY_PATH),
        cuda_driver_code=code,
        cuda_driver_error=error,
    )


def wanted_wheels(requirements: list[str] | None = None) -> tuple[Wheel, ...]:
    """Return the packages that `tensorflow[and-cuda]` requires, installed or not.

    Args:
        requirements: as its metadata lists them; None reads that of the installed one.
    """
    if requirements is None:
        try:
            requirements = importlib.metadata.requires("tensorflow")
        except importlib.metadata.PackageNotFoundError:
            return ()
    wheels = []
    for requirement in requirements or ():
        match = _REQUIREMENT.fullmatch(requirement)
        if match and _FOR_CUDA.search(match[3]):
            name, wanted = match[1], match[2].strip()
            wheels.append(Wheel(name=name, wanted=wanted, version=installed_version(name)))
    return tuple(wheels)


def main_libraries(wheel: Wheel) -> list[Path]:
    """Return the libraries of an installed package that a framework opens by name."""
    files = importlib.metadata.distribution(wheel.name).files or ()
    return [Path(file.locate()) for file in files if _MAIN_LIBRARY.fullmatch(file.name)]


def load(path: Path, wheel: str, environment: Mapping[str, str]) -> Library:
    """Load a library as the framework would: LD_LIBRARY_PATH takes precedence over the package.

    Args:
        path: in the package.
        wheel: the package's name.
        environment: see `read_libraries`.
    """
    error = _load(path, environment)
    error_without = None
    if LIBRARY_PATH in environment:
        without = {key: value for key, value in environment.items() if key != LIBRARY_PATH}
        error_without = _load(path, without)
    return Library(name=path.name, wheel=wheel, error=error, error_without=error_without)


def _load(path: Path, environment: Mapping[str, str]) -> str:
    """Return the loader's error; "" where it loads."""
    paths = [str(path)]
    if _in_library_path(path.name, environment.get(LIBRARY_PATH, "")):
        paths.insert(0, path.name)
    report, failed = _in_child(_LOAD, environment, "\n".join(paths))
    return failed or safe_text(report.get("error", ""), _MESSAGE_LENGTH)


def _in_library_path(name: str, library_path: str) -> bool:
    """Return whether a folder in it holds such a file; an empty entry is the current folder."""
    folders = re.split("[:;]", library_path) if library_path else []
    # Path.exists raises for a folder that may not be entered.
    return any(os.path.exists(Path(WORKING_FOLDER, folder, name)) for folder in folders)  # noqa: PTH110


def _cuda_init(environment: Mapping[str, str]) -> tuple[int | None, str]:
    """Start CUDA's driver; return its result code, and a message where it failed."""
    report, failed = _in_child(_CUDA_INIT, environment)
    return report.get("code"), failed or safe_text(report.get("error", ""), _MESSAGE_LENGTH)


def _in_child(
    script: str, environment: Mapping[str, str], *arguments: str
) -> tuple[dict[str, Any], str]:
    """Return a script's report, and a message such as "crashed by signal SIGSEGV" without one."""
    alarm = str(int(LOAD_SECONDS / MIN_SHARE) + 1)  # beyond its limit under any load
    command = [sys.executable, "-I", "-S", "-c", script, alarm, *arguments]
    result = run_probe(command, LOAD_SECONDS, environment)
    if result.lines:
        return result.lines[0], ""
    return {}, f"{result.outcome.status} {result.outcome.detail}"
