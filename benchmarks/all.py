"""Run every benchmark and write RESULTS.md and RESULTS.json beside this file.

    python benchmarks/all.py [--weights FILE] [--images DIR] [--only NAME ...]

Takes about a quarter of an hour on two cores; nothing else should run meanwhile. With the weights
of MobileNetV2 0.35 and a folder of photographs, these are used where made-up ones would say less.
What --only leaves out keeps its former results.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil

from workbench.machine.processor import cpu_name, instruction_set

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.json"
PACKAGES = ("keras", "tensorflow", "numpy", "pillow", "openvino", "nncf", "textual")

# Scripts, with what they show and their options.
SCRIPTS: dict[str, tuple[str, ...]] = {
    "frozen": ("A frozen base, images a second", "--rounds", "2"),
    "on_a_base": ("Training on a frozen base",),
    "convnet": ("The small convnet", "--rounds", "3"),
    "input": ("Images from files to the network", "--rounds", "3"),
    "reading": ("A pack that is not in memory", "--rounds", "2"),
    "jit": ("XLA on the CPU, off and on", "--rounds", "3"),
    "warm_start": ("From start to the first batch",),
    "short_commands": ("Short commands", "--rounds", "3"),
    "first_paint": ("The app's first screen",),
    "live_screen": ("The app beside a run",),
    "many_events": ("Long runs",),
    "many_images": ("Large sets of images",),
    "memory": ("The worker's largest memory, 2,000 images",),
}
TAKES_IMAGES, TAKES_WEIGHTS = {"frozen", "input"}, {"frozen"}


def run(name: str, images: Path | None, weights: Path | None) -> str:
    """Run a script; return what it prints of its results."""
    command = [sys.executable, str(HERE / f"{name}.py"), *SCRIPTS[name][1:]]
    if images and name in TAKES_IMAGES:
        command += ["--images", str(images)]
    if weights and name in TAKES_WEIGHTS:
        command += ["--weights", str(weights)]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        if done.returncode:
            errors.seek(0)
            raise SystemExit(f"{name} failed:\n{errors.read()[-3000:]}")
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    return results_of(done.stdout)


def results_of(output: str) -> str:
    """Return the output from the table on, or all of it without one."""
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("|")), 0)
    return "\n".join(lines[first:])


def machine() -> str:
    """Describe the machine and the packages."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{cpu_name()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, "
        f"{instruction_set(os.environ)}, no GPU; Python "
        f"{platform.python_version()}, {packages}."
    )


def written(results: dict[str, dict[str, str]]) -> str:
    """Return the content of RESULTS.md."""
    parts = [
        "# Measured\n",
        "Made by `make bench`. Two ways are measured in turns in one run: a ratio says more than "
        'its two numbers. "Promised" is what prototypes of this design reached; "the book\'s way" '
        'is the code of the convnet chapter of "Deep Learning with Python", as `book.py` has it.\n',
    ]
    for name, (title, *_) in SCRIPTS.items():
        if found := results.get(name):
            parts += [
                f"## {title}\n",
                f"`benchmarks/{name}.py`, {found['date']}; {found['machine']}\n",
            ]
            parts.append(found["output"] + "\n")
    return "\n".join(parts)


def main() -> None:
    """Run, and write after every script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in given.only:
        output = run(name, given.images, given.weights)
        results[name] = {"date": str(date.today()), "machine": machine(), "output": output}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "RESULTS.md").write_text(written(results))


if __name__ == "__main__":
    main()
