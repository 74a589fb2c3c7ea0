"""How much memory does a run take? The worker's largest, for each strategy, at 2,000 images.

    python benchmarks/memory.py [--images 2000] [--json FILE]

Each strategy is a run of its own, by a real worker: made-up photographs of 500 x 375, scanned,
packed, trained on for two epochs and measured on test images. "Own" is what the process holds by
itself; "with files" counts what it has mapped too, the pack among them, which the system takes back
when others need it. The whole set as float32 is the amount that nothing here holds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import book
from side_by_side import markdown

from workbench.runs.event_log import read_events
from workbench.runs.events import End
from workbench.runs.folder import RunFolder
from workbench.text import format_bytes

POLL_SECONDS = 0.05
SMALL_BASE = ("--base", "mobilenetv2-0.35", "--weights", "random")
# Not cached, few steps and few images to measure on, for the sake of time: what a step holds does
# not depend on them.
VGG16 = (
    "--weights", "random", "--set", "data.image_size=[150, 150]", "--set", "base.prefix=streamed",
    "--set", "training.steps_per_epoch=5", "--set", "data.split.train=0.94",
    "--set", "data.split.validation=0.03", "--set", "data.split.test=0.03",
)  # fmt: skip
RUNS = {
    "dense": ("dense",),
    "convnet": ("book-convnet", "--set", "training.steps_per_epoch=20"),
    "convnet, augmented": ("book-convnet-augmented", "--set", "training.steps_per_epoch=20"),
    "feature extraction, MobileNetV2 0.35": ("feature-extraction", *SMALL_BASE),
    "the same, augmented": ("feature-extraction-augmented", *SMALL_BASE),
    "fine-tuning, MobileNetV2 0.35": ("fine-tuning", *SMALL_BASE),
    "feature extraction, VGG16": ("feature-extraction", *VGG16),
    "fine-tuning, VGG16": ("fine-tuning", *VGG16),
}


def largest(arguments: tuple[str, ...], images: Path, workspace: Path) -> dict[str, int]:
    """Return the largest memory of a run's worker, in bytes: "own" and "with files"."""
    preset, *rest = arguments
    settings = ["training.epochs=2"]
    settings += ["training.head_epochs=1"] if preset == "fine-tuning" else []
    name = f"run-{time.time_ns()}"
    command = [
        sys.executable, "-m", "workbench", "train", "--detach", "--preset", preset, "--name", name,
        "--data", str(images), "--workspace", str(workspace), "--gpu", "none", *rest,
    ]  # fmt: skip
    command += [word for one in settings for word in ("--set", one)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    folder = RunFolder(workspace / "saved_models" / name)
    found = {"own": 0, "with files": 0}
    while not (ends := {e.event for e in read_events(folder.events_path) if isinstance(e, End)}):
        with suppress(OSError, KeyError, ValueError):  # not there yet, or ended already
            status = memory_of(json.loads(folder.worker_path.read_text())["pid"])
            found["own"] = max(found["own"], status["RssAnon"])
            found["with files"] = max(found["with files"], status["VmHWM"])
        time.sleep(POLL_SECONDS)
    if ends != {"finished"}:
        raise SystemExit(f"{preset} {' and '.join(ends)}: see {folder.events_path}")
    return found


def memory_of(pid: int) -> dict[str, int]:
    """Return bytes by the kernel's names."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.endswith(" kB")]
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch, "images")
        book.as_folder(book.photographs(given.images), images)
        for name, arguments in RUNS.items():
            found = largest(arguments, images, Path(scratch, "workspace"))
            rows.append({"strategy": name, **found})
            print(f"{name}: {found}", flush=True)
    decoded, packed = given.images * 150 * 150 * 3 * 4, given.images * 150 * 150 * 3
    cells = [
        (row["strategy"], format_bytes(row["own"]), format_bytes(row["with files"])) for row in rows
    ]
    print("\n" + markdown(("strategy", "own", "with files"), cells))
    print(
        f"\n{given.images:,} images of 150 x 150 are {format_bytes(packed)} in the pack and would "
        f"be {format_bytes(decoded)} as float32."
    )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
