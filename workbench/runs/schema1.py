"""Logs of schema 1, which contain what is in the status since: progress and machine samples.

They fill nearly all of a long log, and a history holds only the newest of each, so most of them
are not parsed: where such lines follow one another, the newest of each kind is parsed, and the
others are skipped by how the writer began a line. Nothing is lost: `history` does not count working
time by them, and the first event is always parsed. A line that begins in any other way is parsed,
those of a later schema among them.
"""

import re
from collections.abc import Iterator

from workbench.runs.events import LATEST_ONLY, Event, LatestOnly, parse_event

_LINE = (
    rb'\{"v": 1, "n": \d+, "t": \d{10}\.\d{1,3}, "event": "(?:%s)", .*\n'
    % "|".join(LATEST_ONLY).encode()
)
_match_run = re.compile(rb"(?:%s)++" % _LINE).match


def parse_lines(lines: bytes) -> Iterator[Event | None]:
    """Yield the events of complete lines without superseded ones, None for other lines."""
    at = 0
    while at < len(lines):
        start, at = at, lines.index(b"\n", at) + 1
        line = lines[start:at]
        if not line.strip():
            continue
        event = parse_event(line)
        yield event
        # Only after an event with a time: the first one tells when the run began.
        if event and event.t is not None and (run := _match_run(lines, at)):
            yield from _newest_of_each_kind(run[0])
            at = run.end()


def _newest_of_each_kind(run: bytes) -> list[Event | None]:
    """Return the newest event of each kind in lines that the writer wrote, in their order."""
    found: dict[int, Event | None] = {}  # by the position of the line
    for kind in LATEST_ONLY:
        mark, end = f'"event": "{kind}", '.encode(), len(run)
        while (at := run.rfind(mark, 0, end)) >= 0:
            end = run.rfind(b"\n", 0, at) + 1
            event = found[end] = parse_event(run[end : run.index(b"\n", at)])
            if isinstance(event, LatestOnly) and event.event == kind:  # else it adds nothing
                break
    return [found[start] for start in sorted(found)]
