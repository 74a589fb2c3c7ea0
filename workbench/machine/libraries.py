"""CUDA's shared libraries: which the framework asks for, which are there, which of them load.

TensorFlow says that some library is missing but not which one, so each is loaded by itself. A
library that crashes while it is loaded takes only a child process along.
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
from workbench.machine.probe import run_probe
from workbench.machine.quiet_clock import LEAST_SHARE
from workbench.runs.process import WORKING_FOLDER
from workbench.text import safe_text

LIBRARY_PATH = "LD_LIBRARY_PATH"
LOAD_SECONDS = 5.0
_AT_A_TIME = 4
_WORDS = 500  # characters of a loader's message, which may name two long paths

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*\(?([^;()]*)\)?\s*;(.*)")
_FOR_CUDA = re.compile(r"""extra\s*==\s*["']and-cuda["']""")
# The ones that a framework opens by name. Their helpers are opened by them.
_MAIN_LIBRARY = re.compile(
    r"lib(cudart|cublas|cublasLt|cufft|curand|cusolver|cusparse|cudnn|nccl|nvJitLink|cupti|nvrtc)"
    r"\.so(\.\d+)+"
)

# Both end by themselves, should nobody be left to end them. Of a library's two places the second
# counts where the loader passed over the first, such as a file for another kind of processor.
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
    """Loads the libraries of the framework's CUDA packages, each in a process of its own.

    Args:
        environment: all variables; with LD_LIBRARY_PATH as it is, and without it where it is set.
    """
    wheels = wanted_wheels() if chosen_backend(environment) == "tensorflow" else ()
    files = [
        (wheel.name, path) for wheel in wheels if wheel.version for path in main_libraries(wheel)
    ]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        code_and_words = pool.submit(_cuda_init, environment)
        libraries = tuple(pool.map(lambda one: load(one[1], one[0], environment), files))
        code, words = code_and_words.result()
    return Libraries(
        wheels=wheels,
        libraries=libraries,
        library_path=environment.get(LIBRARY_PATH),
        cuda_driver_code=code,
        cuda_driver_error=words,
    )


def wanted_wheels(requirements: list[str] | None = None) -> tuple[Wheel, ...]:
    """The packages that `tensorflow[and-cuda]` brings, installed or not.

    Args:
        requirements: as its description lists them; None reads that of the installed one.
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
    """The libraries of an installed package that a framework opens by name."""
    files = importlib.metadata.distribution(wheel.name).files or ()
    return [Path(file.locate()) for file in files if _MAIN_LIBRARY.fullmatch(file.name)]


def load(path: Path, wheel: str, environment: Mapping[str, str]) -> Library:
    """Loads a library as the framework would: LD_LIBRARY_PATH comes before the package's own.

    Args:
        path: where the package has it.
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
    """The loader's words; "" where it loads."""
    places = [str(path)]
    if _in_library_path(path.name, environment.get(LIBRARY_PATH, "")):
        places.insert(0, path.name)
    told, ended = _in_child(_LOAD, environment, "\n".join(places))
    return ended or safe_text(told.get("error", ""), _WORDS)


def _in_library_path(name: str, library_path: str) -> bool:
    """True where a folder in it holds such a file; an empty entry is the current folder."""
    folders = re.split("[:;]", library_path) if library_path else []
    # Where os.path stays quiet, Path.exists raises for a folder that may not be entered.
    return any(os.path.exists(Path(WORKING_FOLDER, folder, name)) for folder in folders)  # noqa: PTH110


def _cuda_init(environment: Mapping[str, str]) -> tuple[int | None, str]:
    """Starts CUDA's driver; its number for how that went, and words where it went wrong."""
    told, ended = _in_child(_CUDA_INIT, environment)
    return told.get("code"), ended or safe_text(told.get("error", ""), _WORDS)


def _in_child(
    script: str, environment: Mapping[str, str], *arguments: str
) -> tuple[dict[str, Any], str]:
    """What a script answered, and words such as "crashed by signal SIGSEGV" where it did not."""
    alarm = str(int(LOAD_SECONDS / LEAST_SHARE) + 1)  # beyond its limit, however crowded it is
    command = [sys.executable, "-I", "-S", "-c", script, alarm, *arguments]
    answer = run_probe(command, LOAD_SECONDS, environment)
    if answer.lines:
        return answer.lines[0], ""
    return {}, f"{answer.outcome.status} {answer.outcome.detail}"
