"""Which runs to show, in which order: `acc>0.9 base:vgg16 tag:night -state:failed rose`.

Pure: the terms of a query, the columns that runs can be sorted by, and groups. The command line
and the app share it.
"""

import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.datasets.names import natural_sort_key
from workbench.errors import UserError
from workbench.experiment.metrics import ACCURACY
from workbench.messages import tr
from workbench.runs.watch import RunView
from workbench.text import safe_text

Sweeps = Mapping[str, str]  # name of the sweep or ladder of a run, by the run's key
NO_SWEEPS: Sweeps = {}
_TERM = re.compile(r"(-?)([A-Za-z_0-9]+)(>=|<=|:|=|>|<)(.*)", re.DOTALL)
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda value, bound: value > bound,
    "<": lambda value, bound: value < bound,
    ">=": lambda value, bound: value >= bound,
    "<=": lambda value, bound: value <= bound,
    "=": lambda value, bound: value == bound,
    ":": lambda value, bound: value == bound,
}
_METRIC_NAMES = {"acc": ACCURACY, "f1": "macro_f1", "balanced": "balanced_accuracy",
                 "top5": "top5_accuracy", "auc": "auc"}  # fmt: skip


def _base(view: RunView) -> str:
    return str(view.table("base").get("name") or "")


_TEXTS: dict[str, Callable[[RunView, Sweeps], Iterable[str]]] = {
    "run": lambda view, sweeps: [view.name],
    "state": lambda view, sweeps: [view.summary.state.phase],
    "strategy": lambda view, sweeps: [view.summary.preset or "", view.summary.strategy],
    "data": lambda view, sweeps: [view.summary.data],
    "base": lambda view, sweeps: [_base(view)],
    "tag": lambda view, sweeps: view.tags,
    "note": lambda view, sweeps: [view.note],
    "machine": lambda view, sweeps: [view.host or "here"],
    "on": lambda view, sweeps: [view.summary.device or "CPU"],
    "sweep": lambda view, sweeps: [sweeps.get(view.key, "")],
}
_NUMBERS: dict[str, Callable[[RunView], float | None]] = {
    **{
        name: lambda view, metric=metric: view.summary.measured(metric)  # type: ignore[misc]
        for name, metric in _METRIC_NAMES.items()
    },
    "val": lambda view: view.summary.best_val_accuracy,
    "test": lambda view: view.summary.test_accuracy,
    "epochs": lambda view: view.summary.epochs_done,
    "seconds": lambda view: view.history.seconds_worked,
}
KEYS = (*_TEXTS, *_NUMBERS)


@dataclass(frozen=True)
class Term:
    """A part of a query.

    Attributes:
        key: of `KEYS`; "" for a word that is looked for everywhere.
        operator: ":" or "=" for texts, also a comparison for numbers.
        value: in lower case.
        negated: whether runs that match are left out.
    """

    key: str
    operator: str
    value: str
    negated: bool = False

    def matches(self, view: RunView, sweeps: Sweeps = NO_SWEEPS) -> bool:
        """Return whether a run is among those that the term asks for."""
        return self._found(view, sweeps) != self.negated

    def _found(self, view: RunView, sweeps: Sweeps) -> bool:
        if self.key in _NUMBERS:
            value = _NUMBERS[self.key](view)
            return value is not None and _COMPARISONS[self.operator](value, float(self.value))
        if not self.key:
            return any(self.value in text for text in _words(view, sweeps))
        texts = [text.casefold() for text in _TEXTS[self.key](view, sweeps)]
        if self.operator == "=":
            return self.value in texts
        return any(self.value in text for text in texts) if self.value else not any(texts)


def _words(view: RunView, sweeps: Sweeps) -> Iterable[str]:
    for key, texts in _TEXTS.items():
        if key != "on" and (key != "machine" or view.host):
            for text in texts(view, sweeps):
                yield text.casefold()


def parse_query(text: str) -> tuple[Term, ...]:
    """Return the terms of a query, all of which a run has to match.

    A term is a word, KEY:TEXT (contains), KEY=TEXT (is), or a number with a comparison, such as
    acc>=0.9; a "-" before it leaves out what matches. Blanks within a text are quoted.

    Raises:
        UserError: A key or a number is not known; the message names what is allowed.
    """
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark without its end: it is still being typed
        words = text.split()
    return tuple(_parse(word) for word in words)


def _parse(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if found is None:
        negated = word.startswith("-") and len(word) > 1
        return Term("", ":", word[negated:].casefold(), negated)
    sign, key, operator, value = found.groups()
    name = {"name": "run", "preset": "strategy", "host": "machine"}.get(key.lower(), key.lower())
    if name in _NUMBERS:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(
                tr("{term}: received {value}; allowed: a number, such as {key}>0.9",
                   term=safe_text(word, 60), value=safe_text(repr(value), 40), key=name)
            )  # fmt: skip
        return Term(name, operator, value, bool(sign))
    if name in _TEXTS and operator in ":=":
        return Term(name, operator, value.casefold(), bool(sign))
    if name in _TEXTS:
        raise UserError(
            tr("{term}: {key} is a text; allowed: {key}:PART or {key}=WHOLE",
               term=safe_text(word, 60), key=name)
        )  # fmt: skip
    raise UserError(
        tr("{term}: no key {key}; allowed: {keys}", term=safe_text(word, 60),
           key=safe_text(repr(key), 40), keys=", ".join(KEYS))
    )  # fmt: skip


def select(views: Iterable[RunView], terms: Sequence[Term], sweeps: Sweeps = NO_SWEEPS
           ) -> list[RunView]:  # fmt: skip
    """Return the runs that match every term, in their order."""
    return [view for view in views if all(term.matches(view, sweeps) for term in terms)]


# --- order and groups -------------------------------------------------------------------------

STARTED, METRIC = "started", "metric"
# What runs can be sorted by; of numbers the highest first, of texts from a to z.
SORTS: Mapping[str, str] = {
    STARTED: tr("newest first"),
    METRIC: tr("best first, by the metric shown"),
    "run": tr("name"),
    "state": tr("state"),
    "strategy": tr("strategy"),
    "data": tr("data"),
    "base": tr("base"),
    "tag": tr("tags"),
    "epochs": tr("epochs"),
    "seconds": tr("time worked"),
}
GROUPS: Mapping[str, str] = {
    "": tr("none"),
    "sweep": tr("sweep or ladder"),
    "data": tr("data"),
    "strategy": tr("strategy"),
    "tag": tr("tags"),
}
CLI_SORTS = (STARTED, *_METRIC_NAMES, "run", "state", "strategy", "data", "base", "tag", "epochs",
             "seconds")  # fmt: skip


def sort_views(
    views: Sequence[RunView], by: str, reverse: bool = False, metric: str = ACCURACY
) -> list[RunView]:
    """Return runs in an order; those of which nothing is known come last in either direction.

    By a metric, runs that were tested come before those of which only validation is known: the
    best of many epochs on the images that chose it is no rival of a test.

    Args:
        views: as `in_order` sorts them; equal ones keep that order.
        by: of `SORTS`, or a metric as the command line names it.
        reverse: the other way round.
        metric: that METRIC stands for.
    """
    if by == STARTED:
        return list(reversed(views)) if reverse else list(views)
    tested = [True] * len(views)
    if by == METRIC or by in _METRIC_NAMES:
        wanted = metric if by == METRIC else _METRIC_NAMES[by]
        values: list[Any] = [view.summary.measured(wanted) for view in views]
        tested = [view.summary.on_test(wanted) is not None for view in views]
        highest = True
    elif by in _NUMBERS:
        values, highest = [_NUMBERS[by](view) for view in views], True
    else:
        texts = [next(iter(_TEXTS[by](view, NO_SWEEPS)), "") for view in views]
        values = [natural_sort_key(text.casefold()) if text else None for text in texts]
        highest = False
    found = list(zip(values, tested, views, strict=True))
    known = [row for row in found if row[0] is not None]
    known.sort(key=lambda row: row[0], reverse=highest != reverse)
    known.sort(key=lambda row: not row[1])
    return [view for *_, view in known] + [view for value, _, view in found if value is None]


def group_views(
    views: Sequence[RunView], by: str, sweeps: Sweeps = NO_SWEEPS
) -> list[tuple[str, list[RunView]]]:
    """Return runs by what they share, in the order of the first run of each; "" for none."""
    groups: dict[str, list[RunView]] = {}
    for view in views:
        for name in list(_TEXTS[by](view, sweeps))[:1] or [""]:
            groups.setdefault(name, []).append(view)
    return list(groups.items())
