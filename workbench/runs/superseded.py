"""What of a log need not be parsed: `progress` and `machine` that newer ones have replaced.

They are nearly all of a long log, and a history holds only the newest of each. Where lines of
these two kinds follow one another, the newest of each is parsed, and the others are passed over by
how the writer begins a line. Nothing is lost by that: `history` does not count the time of work
by them, and what a log begins with is parsed whatever it is. A line that begins in any other way
is parsed as ever.
"""

import re
from collections.abc import Iterator

from workbench.runs.events import REPLACED, SCHEMA, Event, parse_event
from workbench.runs.rows import Place, number

_KINDS = "|".join(sorted(REPLACED)).encode()
_LINE = rb'\{"v": %d, "n": \d+, "t": \d{10}\.\d{1,3}, "event": "(?:%s)", .*\n' % (SCHEMA, _KINDS)
_run = re.compile(rb"(?:%s)++" % _LINE).match


def all_events(lines: bytes) -> Iterator[Event | None]:
    """Every event of whole lines; None for a line that is none."""
    return (parse_event(line) for line in lines.split(b"\n") if line.strip())


def events_that_count(lines: bytes) -> Iterator[Event | None]:
    """The events of whole lines without superseded ones; None for what is parsed and is none."""
    at = 0
    while at < len(lines):
        start, at = at, lines.index(b"\n", at) + 1
        line = lines[start:at]
        if not line.strip():
            continue
        event = parse_event(line)
        yield event
        # Only after an event with a time, for the first of them is when the run began.
        if event and number(event.get("t")) is not None and (run := _run(lines, at)):
            yield from _newest(run[0])
            at = run.end()


def _newest(run: bytes) -> list[Event | None]:
    """The newest event of each kind in lines that all begin as the writer's do, in their order."""
    found: dict[int, Event | None] = {}  # by where its line begins
    for kind in REPLACED:
        mark, end = f'"event": "{kind}", '.encode(), len(run)
        while (at := run.rfind(mark, 0, end)) >= 0:
            end = run.rfind(b"\n", 0, at) + 1
            event = found[end] = parse_event(run[end : run.index(b"\n", at)])
            if event and _replaces(event, kind):
                break
    return [found[start] for start in sorted(found)]


def _replaces(event: Event, kind: str) -> bool:
    """True where those before it of that kind say nothing any more; False for an odd one."""
    placed = kind != "progress" or Place.from_event(event) is not None
    return placed and event["event"] == kind
