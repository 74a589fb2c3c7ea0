"""The measured tables: RESULTS.json, and RESULTS.md made from it."""

import json
import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from workbench.machine.driver import find_gpu
from workbench.machine.gpus import AUTO
from workbench.machine.processor import cpu_name, instruction_set

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.json"
PACKAGES = (
    "keras", "tensorflow", "jax", "numpy", "pillow", "openvino", "nncf", "textual",
)  # fmt: skip
# Each table with the script that measures it, in the order of RESULTS.md.
TITLES = {
    "frozen": "A frozen base, images a second",
    "on_a_base": "Training on a frozen base",
    "steps": "What a step costs beside its arithmetic",
    "scores": "What metrics for unequal classes cost",
    "convnet": "The small convnet",
    "input": "Images from files to the network",
    "reading": "A pack that is not in memory",
    "jit": "XLA on the CPU, off and on",
    "folder_to_accuracy": "From a folder to an accuracy",
    "warm_start": "From start to the first batch",
    "short_commands": "Short commands",
    "first_paint": "The app's first screen",
    "live_screen": "The app beside a run",
    "many_events": "Long runs",
    "many_runs": "Many runs",
    "many_images": "Large sets of images",
    "memory": "The worker's largest memory, 2,000 images",
    "gpu-tensorflow": "A GPU, TensorFlow",
    "gpu-jax": "A GPU, JAX",
}


def save_result(name: str, output: str) -> None:
    """Keep a table, measured today on this machine, and write RESULTS.md again."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = {"date": str(date.today()), "machine": machine(), "output": output}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(_written(results))


def machine() -> str:
    """Describe the machine and the packages."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))
    choice = find_gpu(AUTO)
    gpu = choice.device_name if choice.gpu else "no GPU"
    return (
        f"{cpu_name()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, "
        f"{instruction_set(os.environ)}, {gpu}; Python {platform.python_version()}, {packages}."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _written(results: dict[str, dict[str, str]]) -> str:
    """Return the content of RESULTS.md."""
    parts = [
        "# Measured\n",
        "Made by `make bench` and `make gpu`. Two ways are measured in turns in one run: a ratio "
        'says more than its two numbers. "Promised" is what prototypes of this design reached; '
        '"the book\'s way" is the code of the convnet chapter of "Deep Learning with Python", as '
        "`book.py` has it.\n",
    ]
    for name, title in TITLES.items():
        if found := results.get(name):
            script = name.partition("-")[0]
            parts += [
                f"## {title}\n",
                f"`benchmarks/{script}.py`, {found['date']}; {found['machine']}\n",
                found["output"] + "\n",
            ]
    return "\n".join(parts)
