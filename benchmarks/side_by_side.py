"""What the benchmarks share: two ways of the same work measured in turns, and the table of it.

Each script measures its rows when run by itself and prints them; with --json FILE it also writes
them there, which is how all.py makes RESULTS.md.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from workbench.machine.processor import instruction_set

WAYS = ("the book's way", "workbench")


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        work: what both do.
        book: number of the way a person would take without the workbench.
        ours: number of the workbench.
        unit: of both numbers.
        ratio: how many times as fast ours is.
        wanted: the ratio that was promised; None where none was.
        note: what has to be known to read it.
    """

    work: str
    book: float
    ours: float
    unit: str
    ratio: float
    wanted: float | None = None
    note: str = ""


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Call every way once in each round; return the median of what each returned, by its name.

    What is measured is the machine of that moment: in turns, whatever else it does meets all.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {name: median(values) for name, values in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def by_speed(
    work: str,
    book: float,
    ours: float,
    unit: str = "images/s",
    wanted: float | None = None,
    note: str = "",
) -> Row:
    """Return a row of two speeds: more is better."""
    return Row(work, book, ours, unit, ours / book, wanted, note)


def by_seconds(
    work: str, book: float, ours: float, wanted: float | None = None, note: str = ""
) -> Row:
    """Return a row of two durations: less is better."""
    return Row(work, book, ours, "s", book / ours, wanted, note)


def table(rows: list[Row], ways: tuple[str, str] = WAYS) -> str:
    """Format the rows in markdown.

    Args:
        rows: to format.
        ways: titles of the two columns of numbers.
    """
    cells = []
    for row in rows:
        wanted = "-" if row.wanted is None else f"{row.wanted:.3g}"
        numbers = f"{row.book:,.3g}", f"{row.ours:,.3g}", row.unit, f"{row.ratio:.2f}"
        cells.append((row.work, *numbers, wanted))
    notes = [f"\n{row.work}: {row.note}" for row in rows if row.note]
    return "\n".join([markdown(("", *ways, "unit", "ratio", "promised"), cells), *notes])


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table whose first column is text; the others are aligned to the right."""
    lines = [" | ".join(titles), " | ".join(["---", *["---:"] * (len(titles) - 1)])]
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def parser(about: str | None, rounds: int) -> argparse.ArgumentParser:
    """Return a parser of the options that every script has."""
    made = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--json", type=Path, help="write the rows here too")
    return made


def show(rows: list[Row], path: Path | None, ways: tuple[str, str] = WAYS) -> None:
    """Print the rows below the instruction set that they were measured with.

    With a `path`, also write them there.
    """
    print(f"instruction set: {instruction_set(os.environ)}\n")
    print(table(rows, ways), flush=True)
    if path:
        content = {"ways": ways, "rows": [asdict(row) for row in rows]}
        path.write_text(json.dumps(content, indent=1) + "\n")
