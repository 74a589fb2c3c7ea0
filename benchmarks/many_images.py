"""How preparing data grows with the number of images: seconds and memory of each step.

    python benchmarks/many_images.py [--sizes 1000 10000 50000] [--json FILE]

Makes photograph-like JPEG files of 96 x 96 in ten class folders (1 % exact duplicates, 1 % near
ones, some grey, a few truncated), 10,000 frames of a film that look nearly alike, and 50,000
arrays of 28 x 28; prepares each set in a process of its own and prints a markdown table. Making
them is not counted. Memory is how far the peak of the process rises above that of preparing a
handful of images. The scan makes the pack as it goes; what is left of that is a step of its own.
Linear cost shows in microseconds an image that do not grow with the set.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from side_by_side import markdown, peak_bytes

from workbench.datasets.audit import AUDIT_NAME, audit, write_audit
from workbench.datasets.duplicates import near_pairs
from workbench.datasets.manifest import (
    MANIFEST_NAME,
    make_manifest_rows,
    read_manifest,
    write_manifest,
)
from workbench.datasets.pack import build_pack
from workbench.datasets.prepare import prepare, prepare_from_manifest
from workbench.datasets.scan import scan
from workbench.datasets.scan_pack import ScanPack
from workbench.datasets.sources.opening import open_source
from workbench.datasets.split import assign
from workbench.datasets.store import dataset_folder
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

SIDE = 96  # pixels of a photograph
PACKED = 64  # and of it in the pack
DIGIT = 28  # of an array
CLASSES = 10
FRAMES = 10_000
ARRAYS = 50_000
HANDFUL = 20
STEPS = ("recognise", "scan", "near", "audit", "split", "pack", "again", "resume")


# The sets. Image number n is the same in a set of any size.


def photograph(number: int) -> bytes:
    """Return a JPEG of smooth random shapes with a little grain."""
    rng = np.random.default_rng(number)
    rough = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8))
    smooth = np.asarray(rough.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
    grain = rng.integers(-6, 7, (SIDE, SIDE, 1), np.int16)
    image = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
    return as_jpeg(image.convert("L") if number % 50 == 7 else image)


def odd_photograph(number: int) -> bytes:
    """Return a photograph; some are a copy or nearly a copy of their neighbour, a few are cut."""
    if number % 100 == 1:
        return photograph(number - 1)
    if number % 100 == 3:
        with Image.open(io.BytesIO(photograph(number - 1))) as neighbour:
            return as_jpeg(neighbour, quality=40)
    content = photograph(number)
    return content[: len(content) // 2] if number % 500 == 499 else content


def frame(number: int) -> bytes:
    """Return a frame of a film: one scene, a light that wanders, the grain of the camera."""
    scene = np.asarray(Image.open(io.BytesIO(photograph(0))), np.int16).copy()
    x, y = number % 80, number // 80 % 80
    scene[y : y + 8, x : x + 8] += 60
    grain = np.random.default_rng(number).integers(-6, 7, scene.shape, np.int16)
    return as_jpeg(Image.fromarray((scene + grain).clip(0, 255).astype(np.uint8)))


def as_jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """Return the content of a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def make_files(folder: Path, count: int, content: Callable[[int], bytes]) -> Path:
    """Write so many images into ten class folders, neighbours into the same one."""
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True)

    def write(number: int) -> None:
        label = number // 10 % CLASSES
        (folder / f"class-{label}" / f"{number:06}.jpg").write_bytes(content(number))

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(write, range(count), chunksize=64):
            pass
    return folder


def make_arrays(path: Path, count: int) -> Path:
    """Write an npz file as mnist.npz is one: small grey drawings, a seventh of them for tests."""
    rng = np.random.default_rng(1)
    rough = rng.integers(0, 256, (count, 7, 7), np.uint8)
    images = rough.repeat(DIGIT // 7, axis=1).repeat(DIGIT // 7, axis=2)
    labels = (np.arange(count) % CLASSES).astype(np.uint8)
    tests = count // 7
    np.savez(
        path,
        x_train=images[tests:],
        y_train=labels[tests:],
        x_test=images[:tests],
        y_test=labels[:tests],
    )
    return path


# What is measured, in a process of its own


def timed_steps(source: Path, root: Path, side: int) -> dict[str, float]:
    """Measure seconds of each step of preparing a source in a new workspace."""
    data = DataSpec(source=str(source), image_size=(side, side), channels=3)
    workspace = Workspace(root)
    clock = [time.perf_counter()]

    def lap() -> float:
        clock.append(time.perf_counter())
        return clock[-1] - clock[-2]

    seconds = {}
    found = open_source(source)
    folder = dataset_folder(workspace, found)
    seconds["recognise"] = lap()
    records = scan(found, folder, packing=ScanPack(folder, data))
    seconds["scan"] = lap()
    near = near_pairs([record for record in records if record.usable])
    seconds["near"] = lap()
    write_audit(folder / AUDIT_NAME, audit(found, records, near))
    seconds["audit"] = lap()
    rows = make_manifest_rows(records, assign(records, data.split, near).splits)
    write_manifest(folder / MANIFEST_NAME, rows)
    seconds["split"] = lap()
    build_pack(found.root, rows, data, folder, scanned=records)
    seconds["pack"] = lap()
    del found, records, near, rows
    prepare(data, workspace)
    seconds["again"] = lap()
    prepare_from_manifest(data, read_manifest(folder / MANIFEST_NAME), workspace)
    seconds["resume"] = lap()
    return seconds


def measure(source: Path, side: int) -> dict[str, float]:
    """Measure seconds of each step, and the bytes of the peak above that of a handful."""
    with tempfile.TemporaryDirectory() as scratch:
        handful = make_files(Path(scratch) / "handful", HANDFUL, photograph)
        timed_steps(handful, Path(scratch) / "first", PACKED)
        before = peak_bytes()
        seconds = timed_steps(source, Path(scratch) / "second", side)
        return {**seconds, "memory": peak_bytes() - before}


# The table


def row_of(name: str, images: int, source: Path, side: int) -> dict[str, float | str]:
    """Return what a process of its own measures on a set."""
    command = [sys.executable, __file__, "--measure", str(source), str(side)]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return {"set": name, "images": images, **found}


def table(rows: list[dict[str, float | str]]) -> str:
    """Format seconds of each step with microseconds an image in brackets, as markdown."""
    titles = ("set", "images", *STEPS, "memory", "an image")
    cells = []
    for row in rows:
        images = int(row["images"])
        steps = (f"{float(row[s]):.2f} s ({float(row[s]) / images * 1e6:,.0f})" for s in STEPS)
        memory = float(row["memory"])
        held = f"{memory / 1e6:,.0f} MB", f"{memory / images / 1e3:.2f} kB"
        cells.append((str(row["set"]), f"{images:,}", *steps, *held))
    return markdown(titles, cells)


def main() -> None:
    """Make the sets, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 50_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", nargs=2, metavar=("SOURCE", "SIDE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(Path(given.measure[0]), int(given.measure[1]))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for size in given.sizes:
            folder = make_files(root / f"photographs-{size}", size, odd_photograph)
            rows.append(row_of("photographs", size, folder, PACKED))
        film = make_files(root / "film", FRAMES, frame)
        rows.append(row_of("frames of a film", FRAMES, film, PACKED))
        arrays = make_arrays(root / "arrays.npz", ARRAYS)
        rows.append(row_of("arrays", ARRAYS, arrays, DIGIT))
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
