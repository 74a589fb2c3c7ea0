"""The trials of a sweep as text: cells of a table, and notes on what the numbers mean. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.analysis.trials import Interval, TrialRow
from workbench.experiment.metrics import METRICS, SHORT_TITLES
from workbench.messages import tr
from workbench.text import format_seconds, group_notes, plural, safe_text, table
from workbench.words import shown

_SPARE = (
    tr("95 % of it"),
    tr("time"),
    tr("test acc"),
)  # columns that a narrow terminal does without


def short_keys(rows: Sequence[TrialRow]) -> dict[str, str]:
    """Return the name of each key in which trials differ: its last part, where that is enough.

    All keys of a single trial.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.settings))
    if len(rows) > 1:
        keys = [key for key in keys if len({repr(row.settings.get(key)) for row in rows}) > 1]
    last = [key.rpartition(".")[2] for key in keys]
    return {
        key: short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)
    }


def format_value(value: Any) -> str:
    """Return a value of a setting: 0.0003, vgg16, [32, 64]; "-" for none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return safe_text(f"{value:g}" if isinstance(value, float) else value, 40)


def describe_settings(settings: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the settings of a trial in one cell; of the keys in `names` alone."""
    found = [
        f"{names[key]}={format_value(value)}" for key, value in settings.items() if key in names
    ]
    return ", ".join(found) or tr("as given")


def describe_values(settings: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the values of a trial in one cell, in the order of `names`."""
    return ", ".join(format_value(settings.get(key)) for key in names) or tr("as given")


def describe_states(row: TrialRow) -> str:
    """Return the state of a trial: "finished", "2 finished, 1 pruned", "training 3/30"."""
    states = row.states
    if len(states) == 1 and (len(row.seeds) == 1 or "finished" in states):
        (state,) = states
        first, title = row.seeds[0], shown(state)
        if state == "training" and first.epochs_total:
            return f"{title} {first.epochs_done}/{first.epochs_total}"
        return title if len(row.seeds) == 1 else _count_state(len(row.seeds), state)
    return ", ".join(_count_state(count, state) for state, count in states.items())


def _count_state(count: int, state: str) -> str:
    """Return how many runs have a state: "2 finished"."""
    return tr("{count} {state}", count=count, state=shown(state))


def format_range(interval: Interval | None, signed: bool = False) -> str:
    """Return an interval in one cell: 0.912-0.945, with signs -0.020..-0.004."""
    if interval is None:
        return "-"
    low, high = interval
    return f"{low:+.3f}..{high:+.3f}" if signed else f"{max(low, 0):.3f}-{min(high, 1):.3f}"


def format_mean(value: float | None) -> str:
    """Return a mean with four digits."""
    return "-" if value is None else f"{value:.4f}"


def format_difference(row: TrialRow) -> str:
    """Return the difference to the best trial."""
    return "-" if row.difference is None else f"{row.difference:+.4f}"


def seconds_of(row: TrialRow) -> float | None:
    """Return the seconds that the runs of a trial have worked; None if unknown."""
    found = [one.seconds for one in row.seeds if one.seconds is not None]
    return sum(found) if found else None


def sweep_table(rows: Sequence[TrialRow], metric: str, width: int = 0) -> str:
    """Return the lines of the table, without some columns if they are wider than `width`."""
    names = short_keys(rows)
    headers = [
        *names.values(), tr("val {short_title}", short_title=SHORT_TITLES[metric]), tr("95 %"),
        tr("to best"), tr("95 % of it"), tr("test acc"), tr("time"), tr("state"),
    ]  # fmt: skip
    cells = []
    for row in rows:
        seconds = seconds_of(row)
        cells.append(
            [
                *(format_value(row.settings.get(key)) for key in names),
                format_mean(row.mean),
                format_range(row.interval),
                format_difference(row),
                format_range(row.difference_interval, signed=True),
                format_mean(row.test),
                "-" if seconds is None else format_seconds(seconds),
                describe_states(row),
            ]
        )
    sides = "l" * len(names) + "rrrrrrl"
    text = table(headers, cells, sides)
    for spare in _SPARE:
        if not width or max(map(len, text.splitlines())) <= width:
            break
        at = headers.index(spare, len(names))
        headers, cells = _without(at, headers), [_without(at, row) for row in cells]
        sides = sides[:at] + sides[at + 1 :]
        text = table(headers, cells, sides)
    return text


def _without(at: int, row: list[str]) -> list[str]:
    return row[:at] + row[at + 1 :]


def sweep_notes(rows: Sequence[TrialRow], metric: str) -> list[str]:
    """Return what the numbers of the table mean, a sentence or two each."""
    if not rows or rows[0].mean is None:
        return []
    several = any(len(row.seeds) > 1 for row in rows)
    notes = [
        tr(
            "Ranked by {metric} on validation images; 95 % is the interval of the mean over seeds "
            "(Student's t; of one finished seed, what its images leave), and to best is the mean "
            "difference to the first row, seed by seed.",
            metric=METRICS[metric],
        )
        if several
        else tr(
            "Ranked by {metric} on validation images; 95 % is the interval that these images "
            "leave (Wilson).",
            metric=METRICS[metric],
        )
    ]
    if not several and rows[0].seeds[0].seed is not None:
        notes.append(tr("What another seed would bring is unknown: --add --seeds 3."))
    measured = [row for row in rows if row.mean is not None]
    compared = [row for row in measured[1:] if row.difference_interval]
    near = [row for row in compared if row.difference_interval and row.difference_interval[1] >= 0]
    if near:
        notes.append(
            tr(
                "{others} cannot be distinguished from the best: the interval of the difference "
                "contains 0.",
                others=plural(len(near), "other trial"),
            )
        )
    if len(measured) > 1:
        notes.append(
            tr(
                "The best of {count} validation results is optimistic: it was chosen for being "
                "high. The test accuracy of a run with its values is not.",
                count=len(measured),
            )
        )
    return notes


def waiting_notes(rows: Sequence[TrialRow]) -> list[str]:
    """Return what the first waiting run waits for, and how many others wait."""
    found = [one for row in rows for one in row.seeds if one.state == "waiting" and one.detail]
    if not found:
        return []
    note = f"{found[0].run}: {safe_text(found[0].detail, 300)}"
    others = len(found) - 1
    return [note + (tr("; {count} more waiting", count=others) if others else "")]


def ended_notes(rows: Sequence[TrialRow]) -> list[str]:
    """Return how each run ended that is neither finished nor running."""
    ended = ("failed", "interrupted", "pruned", "stopped")
    return group_notes(
        (one.run, f"{shown(one.state)}: {safe_text(one.detail, 300)}")
        for row in rows
        for one in row.seeds
        if one.state in ended and one.detail
    )
