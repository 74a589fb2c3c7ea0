"""Run every benchmark and write RESULTS.md and RESULTS.json beside this file.

    python benchmarks/all.py [--weights FILE] [--images DIR] [--only NAME ...]

Takes about a quarter of an hour on two cores; nothing else should run meanwhile. With the weights
of MobileNetV2 0.35 and a folder of photographs, these are used where made-up ones would say less.
What --only leaves out keeps its former results.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import save_result

HERE = Path(__file__).parent
# Scripts with their options.
SCRIPTS: dict[str, tuple[str, ...]] = {
    "frozen": ("--rounds", "2"),
    "on_a_base": (),
    "steps": (),
    "scores": (),
    "recipe": (),
    "convnet": ("--rounds", "3"),
    "input": ("--rounds", "3"),
    "reading": ("--rounds", "2"),
    "jit": ("--rounds", "3"),
    "folder_to_accuracy": (),
    "warm_start": (),
    "sweep": (),
    "short_commands": ("--rounds", "3"),
    "first_paint": (),
    "live_screen": (),
    "many_events": (),
    "many_runs": (),
    "many_images": (),
    "memory": (),
}
TAKES_IMAGES = {"frozen", "input", "folder_to_accuracy"}
TAKES_WEIGHTS = {"frozen", "folder_to_accuracy"}


def run(name: str, images: Path | None, weights: Path | None) -> str:
    """Run a script; return what it prints of its results."""
    command = [sys.executable, str(HERE / f"{name}.py"), *SCRIPTS[name]]
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


def main() -> None:
    """Run, and write after every script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    given = parser.parse_args()
    for name in given.only:
        save_result(name, run(name, given.images, given.weights))


if __name__ == "__main__":
    main()
