"""A deadline as people type it, as a spec keeps it, and when it is over."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from workbench.app.run_control import changed_spec
from workbench.errors import UserError
from workbench.experiment.deadline import (
    Deadline,
    check_deadline,
    deadline_settings,
    format_moment,
    parse_budget,
    parse_moment,
)
from workbench.experiment.resuming import training_fingerprint
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
HOUR = 3600


def make(*settings: str) -> ExperimentSpec:
    tree = {"data": {"source": "photos"}, "model": {"strategy": "dense"}}
    return parse_spec(apply_settings(tree, settings), "test")


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The time zone of this process, to change."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def set_zone(zone: pytest.MonkeyPatch, name: str) -> None:
    zone.setenv("TZ", name)
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("1d", 86400), ("1d1h1m1s", 90061)],
)
def test_a_time_budget(text: str, seconds: int) -> None:
    assert parse_budget(text) == seconds
    assert make(f"training.time_budget={text}").training.time_budget == text


@pytest.mark.parametrize(
    "text",
    ["2", "2 h", "h", "-2h", "2h-1m", "30m1h", "1.5h", "0h", "366d", "99999999999999h", "٢h", "2H",
     "\x1b[31m"],
)  # fmt: skip
def test_what_is_no_time_budget(text: str) -> None:
    with pytest.raises(UserError) as caught:
        make(
            f'training.time_budget="{text}"' if text.isprintable() else "training.time_budget=\x1b"
        )
    message = caught.value.message
    assert message.startswith("test: training.time_budget: received ")
    assert 'allowed: a time such as "2h", "90m", "1h30m" or "2d", of at most 365 days.' in message
    assert "\x1b" not in message


def test_nothing_and_zero_remove_what_there_is() -> None:
    training = make('training.time_budget=""', "training.deadline=0").training
    assert (training.time_budget, training.deadline) == (None, None)
    assert "deadline" not in dump_spec(make())  # a spec without one is written as ever
    assert "time_budget" not in dump_spec(make())


@pytest.mark.parametrize("value", ["-1", "true", "07:00", "1e9", "100000000001"])
def test_a_deadline_in_a_spec_is_in_unix_seconds(value: str) -> None:
    with pytest.raises(UserError, match="allowed: a whole number from 0 to 100,000,000,000"):
        make(f"training.deadline={value}")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("13:00", HOUR), ("12:01", 60), ("12:00", 24 * HOUR), ("7:00", 19 * HOUR),
        ("2026-11-30T07:00", 19 * HOUR), ("2026-11-30 07:00", 19 * HOUR),
        ("2026-11-29T12:00:05", 5), ("2026-11-29T15:00+02:00", HOUR), ("2026-11-29T13:00Z", HOUR),
    ],
)  # fmt: skip
def test_a_moment(zone: pytest.MonkeyPatch, text: str, after: int) -> None:
    set_zone(zone, "UTC")
    assert parse_moment(text, NOON) == NOON + after
    assert deadline_settings(text, NOON) == (f"training.deadline={int(NOON) + after}",)


def test_never_removes_deadline_and_budget() -> None:
    settings = deadline_settings("never", NOON)
    before = make("training.deadline=5", "training.time_budget=2h")
    assert changed_spec(before, settings) == make()
    assert deadline_settings(None, NOON) == ()


@pytest.mark.parametrize(
    "text", ["", "7", "25:00", "12:60", "2026-02-30T07:00", "2026-11-30", "tomorrow", "99:99:99"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_moment(text, NOON)
    allowed = "allowed: 07:00, 2026-12-01T07:00 or never."
    assert caught.value.message == f"--by: received {text!r}; {allowed}"


def test_a_moment_that_is_over(zone: pytest.MonkeyPatch) -> None:
    set_zone(zone, "UTC")
    with pytest.raises(UserError) as caught:
        parse_moment("2026-11-28T07:00", NOON)
    assert caught.value.message == "--by: 2026-11-28T07:00 is over; it is 2026-11-29 12:00."
    assert caught.value.hint.startswith("Give a time in the future: 07:00, ")


def test_the_next_time_is_of_this_machine_s_clock(zone: pytest.MonkeyPatch) -> None:
    set_zone(zone, "Asia/Seoul")  # where it is 21:00
    assert parse_moment("07:00", NOON) == NOON + 10 * HOUR
    assert format_moment(NOON, NOON) == "21:00"


@pytest.mark.parametrize(
    ("evening", "hours"),
    [("2026-03-28T23:00+01:00", 7), ("2026-10-24T23:00+02:00", 9)],  # one hour less, one more
)
def test_a_night_in_which_clocks_change(zone: pytest.MonkeyPatch, evening: str, hours: int) -> None:
    set_zone(zone, "Europe/Berlin")
    now = datetime.fromisoformat(evening).timestamp()
    assert parse_moment("07:00", now) == now + hours * HOUR


def test_a_moment_is_shown_with_its_day_if_that_is_another(zone: pytest.MonkeyPatch) -> None:
    set_zone(zone, "UTC")
    assert format_moment(NOON + HOUR, NOON) == "13:00"
    assert format_moment(NOON + 24 * HOUR, NOON) == "2026-11-30 12:00"
    assert format_moment(1e20, NOON) == "100000000000000000000"


def test_it_is_over_when_less_than_the_reserve_would_be_left() -> None:
    now = [100.0]
    deadline = Deadline(200, reserve=20, clock=lambda: now[0])
    assert not deadline.is_over()
    assert not deadline.is_over(needed=80)
    assert deadline.is_over(needed=81)
    now[0] = 181.0
    assert deadline.is_over()


def test_without_a_deadline_the_clock_is_never_read() -> None:
    def clock() -> float:
        raise AssertionError

    assert not Deadline(None, reserve=1e9, clock=clock).is_over(needed=1e12)


def test_a_run_does_not_begin_after_its_deadline(zone: pytest.MonkeyPatch) -> None:
    set_zone(zone, "UTC")
    check_deadline(None, NOON)
    check_deadline(int(NOON) + 1, NOON)
    with pytest.raises(UserError) as caught:
        check_deadline(int(NOON), NOON)
    assert caught.value.message == "The deadline of this run, 12:00, is over."
    assert caught.value.hint == "Give it a new one with --by 07:00, or none with --by never."


# --- resuming ---------------------------------------------------------------------------------


def test_a_deadline_does_not_change_what_a_position_means() -> None:
    plain = training_fingerprint(make())
    for setting in ("training.time_budget=2h", "training.deadline=99", "training.epochs=7"):
        assert training_fingerprint(make(setting)) == plain


def test_a_new_budget_counts_anew_and_a_new_deadline_counts() -> None:
    run = make("training.time_budget=2h", "training.deadline=99")
    again = changed_spec(run, ("training.time_budget=2h",)).training
    assert (again.time_budget, again.deadline) == ("2h", None)
    later = changed_spec(run, ("training.deadline=500",)).training
    assert (later.time_budget, later.deadline) == ("2h", 500)
    assert changed_spec(run, ("training.epochs=3",)).training.deadline == 99
