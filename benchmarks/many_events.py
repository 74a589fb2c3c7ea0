"""How opening a run grows with the number of its events: seconds and memory.

    python benchmarks/many_events.py [--sizes 10000 100000 1000000] [--json FILE]

Writes logs of schema 1, which are the longest: epochs of a minute, `progress` twice a second,
`machine` every five seconds, and the end of each epoch with its layers. Measures on each, in
processes of their own: a run opened as in the app, until its history stands; `workbench runs` as a
command, Python's start included; and what a resume waits for until it can write. Prints a markdown
table of medians. Memory is how far the peak of the process rises while the run is opened. The files
have just been written, so they are in the page cache.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from side_by_side import markdown, peak_bytes

from workbench.paths import Workspace
from workbench.runs.event_log import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.watch import RunWatch

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photographs"\n'
START = 1_764_000_000.0  # unix seconds
PROGRESS_SECONDS, MACHINE_SECONDS, EPOCH_SECONDS = 0.5, 5.0, 60.0
TICKS = int(EPOCH_SECONDS / PROGRESS_SECONDS)  # of progress in an epoch
LAYERS = [f"block{number}_conv" for number in range(1, 13)]
COLUMNS = {
    "events": ("events", ",.0f"),
    "mebibytes": ("MiB", ",.1f"),
    "open_seconds": ("open in the app (s)", ".3f"),
    "runs_seconds": ("`workbench runs` (s)", ".3f"),
    "writer_seconds": ("ready to write (s)", ".4f"),
    "open_mebibytes": ("memory to open (MiB)", ",.1f"),
}

Row = dict[str, float]


# The logs


def timeline() -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Yield seconds since the run's beginning, kind and fields of each event, without end."""
    yield 0.0, "launched", {"job": "train", "resume": False}
    yield 1.0, "worker_started", {"pid": 4321, "backend": "tensorflow"}
    yield 2.0, "data_ready", {"name": "photographs", "images": {"train": 2000}, "labels": ["a"]}
    rows = [{"name": name, "kind": "Conv2D", "parameters": 9248} for name in LAYERS]
    stage = {"name": "train all", "epochs": 1_000_000, "steps": TICKS, "layers": rows}
    yield 3.0, "stage_started", {"stage": 0, **stage}
    epoch = 0
    while True:
        epoch += 1
        for second, kind, fields in epoch_events(epoch):
            yield 3.0 + (epoch - 1) * EPOCH_SECONDS + second, kind, fields


def epoch_events(epoch: int) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Yield the events of an epoch of a network that learns slowly, from its beginning."""
    loss = 1 / (1 + epoch / 1000) + 0.123456789012345
    for tick in range(TICKS):
        second = tick * PROGRESS_SECONDS
        if second % MACHINE_SECONDS == 0:
            yield second, "machine", sample(tick)
        yield (
            second,
            "progress",
            {
                "stage": 0, "phase": "train", "epoch": epoch, "step": tick, "steps": TICKS,
                "images_per_second": 1234.5678 + tick, "loss": loss + 0.1 / (1 + tick),
                "accuracy": 1 - loss / 2,
            },
        )  # fmt: skip
    place = {"stage": 0, "epoch": epoch}
    moved = [
        {"name": name, "requested": "trains", "compiled": "trains", "moved": 0.123456 * loss}
        for name in LAYERS
    ]
    metrics = {"loss": loss, "accuracy": 1 - loss / 2, "val_loss": loss + 0.1,
               "val_accuracy": 0.9 - loss / 2, "learning_rate": 1e-3}  # fmt: skip
    yield EPOCH_SECONDS, "layers", {**place, "layers": moved}
    yield EPOCH_SECONDS, "epoch_finished", {**place, **metrics, "seconds": 59.8, "best": True}
    yield EPOCH_SECONDS, "checkpoint_saved", {"stage": 0, "epoch": epoch + 1, "step": 0}


def sample(tick: int) -> dict[str, Any]:
    """Return the fields of `machine` with a GPU."""
    gpu = {"utilization": 93, "temperature": 61, "memory_used": 31 << 30, "memory_total": 80 << 30}
    return {
        "cpu": 41.5, "process_cpu": 180.0 + tick, "memory_used": 21 << 30, "gpu": gpu,
        "memory_total": 126 << 30, "process_memory": 4 << 30, "disk_free": 200 << 30,
    }  # fmt: skip


def made(workspace: Workspace, events: int) -> RunFolder:
    """Make a run with so many events."""
    folder = create_run(workspace, SPEC, f"events-{events}", "")
    with folder.events_path.open("w", encoding="ascii") as file:
        for number, (second, kind, fields) in enumerate(islice(timeline(), events), 1):
            head = {"v": 1, "n": number, "t": round(START + second, 3), "event": kind}
            file.write(json.dumps({**head, **fields}) + "\n")
    return folder


# What is measured


def opened(folder: RunFolder) -> Row:
    """Measure seconds until the app has the history, and the rise of this process's peak."""
    before, start = peak_bytes(), time.perf_counter()
    watch = RunWatch(folder)
    watch.poll()
    while watch.more:
        watch.poll()
    seconds = time.perf_counter() - start
    return {"open_seconds": seconds, "open_mebibytes": (peak_bytes() - before) / 2**20}


def ready_to_write(folder: RunFolder) -> Row:
    """Measure seconds until a new session can write its first event."""
    start = time.perf_counter()
    EventWriter(folder.events_path)
    return {"writer_seconds": time.perf_counter() - start}


def in_its_own_process(folder: RunFolder) -> Row:
    """Return what `opened` and `ready_to_write` measure there."""
    command = [sys.executable, __file__, "--measure", str(folder.path)]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(output))


def runs_listed(workspace: Workspace) -> Row:
    """Measure seconds of `workbench runs`, from the start of the process to its end."""
    command = [sys.executable, "-m", "workbench", "--workspace", str(workspace.root), "runs"]
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return {"runs_seconds": time.perf_counter() - start}


def row_of(events: int, rounds: int) -> Row:
    """Return medians of so many rounds with a run that has so many events."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        folder = made(workspace, events)
        mebibytes = folder.events_path.stat().st_size / 2**20
        found = [{**in_its_own_process(folder), **runs_listed(workspace)} for _ in range(rounds)]
    medians = {key: median(one[key] for one in found) for key in found[0]}
    return {"events": events, "mebibytes": mebibytes, **medians}


def table(rows: list[Row]) -> str:
    """Format the rows in markdown."""
    titles = [title for title, _ in COLUMNS.values()]
    cells = [[format(row[name], kind) for name, (_, kind) in COLUMNS.items()] for row in rows]
    return markdown(titles, cells)


def main() -> None:
    """Make the runs, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        folder = RunFolder(given.measure)
        print(json.dumps({**opened(folder), **ready_to_write(folder)}))
        return
    rows = [row_of(size, given.rounds) for size in given.sizes]
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
