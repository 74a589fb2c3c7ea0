"""A deadline: how a person writes it, as an absolute time, and whether it is over.

In a spec it is unix seconds, so that neither another time zone nor a change of daylight saving time
moves it. Nothing here reads a clock by itself: `now` and `clock` are given.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import not_allowed, safe_text

BUDGET_KEY, DEADLINE_KEY = "training.time_budget", "training.deadline"
NEVER = "never"  # removes a deadline
MAX_SECONDS = 365 * 86400  # of a time budget
MAX_DEADLINE = 10**11  # unix seconds; a date of four digits
BUDGETS = tr('a time such as "2h", "90m", "1h30m" or "2d", of at most 365 days')
MOMENTS = tr("07:00, 2026-12-01T07:00 or {never}", never=NEVER)
NEW_DEADLINE = tr("Give it a new one with --by 07:00, or none with --by {never}.", never=NEVER)
_BUDGET = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_UNITS = (86400, 3600, 60, 1)  # seconds of d, h, m and s
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True)
class Deadline:
    """When a run has to be finished.

    Attributes:
        at: unix seconds; None without a deadline.
        reserve: seconds that are kept for what follows training: saving and evaluating the model.
        clock: returns unix seconds.
    """

    at: float | None = None
    reserve: float = 0.0
    clock: Callable[[], float] = time.time

    def is_over(self, needed: float = 0.0) -> bool:
        """Return whether training for so many more seconds would leave less than the reserve."""
        return self.at is not None and self.clock() + needed + self.reserve > self.at


def parse_budget(text: str) -> int:
    """Return the seconds of "2h", "90m" or "1h30m".

    Raises:
        ValueError: it is something else, nothing, or too long.
    """
    found = _BUDGET.fullmatch(text)
    parts = found.groups() if found else ()
    if all(part is None or len(part) < 10 for part in parts):
        seconds = sum(unit * int(part or 0) for unit, part in zip(_UNITS, parts, strict=False))
        if 0 < seconds <= MAX_SECONDS:
            return seconds
    raise ValueError(not_allowed(safe_text(text), BUDGETS))


def _readable_budget(text: str) -> str | None:
    if text:
        parse_budget(text)
    return text or None


# In a spec; the empty text and 0 remove what is there.
TimeBudget = Annotated[str, Field(max_length=40), AfterValidator(_readable_budget)]
UnixTime = Annotated[int, Field(ge=0, le=MAX_DEADLINE), AfterValidator(lambda at: at or None)]


def deadline_settings(text: str | None, now: float) -> tuple[str, ...]:
    """Return the settings that --by stands for; () without it.

    Raises:
        UserError: as `parse_moment`.
    """
    if text is None:
        return ()
    at = parse_moment(text, now)
    if at is None:
        return f"{DEADLINE_KEY}=0", f'{BUDGET_KEY}=""'
    return (f"{DEADLINE_KEY}={at}",)


def parse_moment(text: str, now: float) -> int | None:
    """Return the unix seconds of a deadline as a person types it; None for NEVER.

    07:00 is the next time that this machine's clock shows it. A date without an offset is in this
    machine's time zone.

    Args:
        text: see MOMENTS.
        now: unix seconds.

    Raises:
        UserError: it is something else, there is no such time, or it is over.
    """
    text = text.strip()
    if text == NEVER:
        return None
    try:
        moment = _next_time_of_day(text, now) or _date_and_time(text)
        at = None if moment is None else int(moment.timestamp())
    except (ValueError, OverflowError, OSError):  # no such hour or day
        at = None
    if at is None or at > MAX_DEADLINE:
        raise UserError(
            tr("--by: received {text}; allowed: {moments}.", text=safe_text(repr(text)),
               moments=MOMENTS)
        )  # fmt: skip
    if at <= now:
        raise UserError(
            tr("--by: {text} is over; it is {now}.", text=safe_text(text),
               now=format_moment(now, at)),
            tr("Give a time in the future: {moments}.", moments=MOMENTS),
        )  # fmt: skip
    return at


def _next_time_of_day(text: str, now: float) -> datetime | None:
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        return None
    hour, minute = map(int, found.groups())
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    # A day may have 23 or 25 hours: the date counts, not the seconds.
    return today if today.timestamp() > now else today + timedelta(days=1)


def _date_and_time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None


def format_moment(at: float, now: float) -> str:
    """Return a local time: 07:00, on another day than `now` 2026-12-01 07:00."""
    try:
        moment, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return f"{at:.0f}"
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M}"


def check_deadline(at: int | None, now: float) -> None:
    """Check that a deadline is still to come; None is.

    Raises:
        UserError: it is over.
    """
    if at is not None and at <= now:
        raise deadline_over(at, now)


def deadline_over(at: float, now: float) -> UserError:
    """Return the error of a run that would begin after its deadline."""
    return UserError(
        tr("The deadline of this run, {at}, is over.", at=format_moment(at, now)), NEW_DEADLINE
    )
