"""No test result depends on seconds: on a busy machine everything takes longer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time", "time_ns"}
WAITS = {"wait", "join", "communicate"}
# The only guard against waiting forever, and a limit that is itself under test.
ALLOWED = {"waiting.py: while", "downloads/test_download.py: timeout=0.2"}


def clock_uses(text: str) -> Iterator[str]:
    """Yield code that gives up after a number of seconds, or compares the time of a clock."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(keywords=keywords, func=function, args=arguments):
                for keyword in keywords:
                    if keyword.arg in ("timeout", "deadline") and _number(keyword.value):
                        yield f"{keyword.arg}={ast.unparse(keyword.value)}"
                if isinstance(function, ast.Attribute) and function.attr in WAITS:
                    yield from (f"{function.attr}({a.value})" for a in arguments if _number(a))
            case ast.While(test=test) if _clock(test):
                yield "while"
            case ast.Assert(test=test) if _clock(test):
                yield "assert"
            case ast.If(test=test) if _clock(test):
                yield "if"


def _number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _clock(test: ast.expr) -> bool:
    """Return whether a condition reads a clock of the module `time`."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
        for node in ast.walk(test)
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("subprocess.run(command, timeout=180)", ["timeout=180"]),
        ("process.communicate(timeout=0.5)", ["timeout=0.5"]),
        ("process.wait(30)", ["wait(30)"]),
        ("thread.join(5)", ["join(5)"]),
        ("event.wait(GUARD)", []),
        ("process.wait()", []),
        ("', '.join('5')", []),
        ("settings(deadline=None)", []),
        ("settings(deadline=200)", ["deadline=200"]),
        ("while time.monotonic() < deadline: poll()", ["while"]),
        ("assert time.perf_counter() - began < 2", ["assert"]),
        ("if time.time() > deadline: raise TimeoutError", ["if"]),
        ("assert event.time == 3", []),
        ("monkeypatch.setattr(time, 'time', lambda: 5)", []),
    ],
)
def test_clocks_and_timeouts_are_found(text: str, found: list[str]) -> None:
    assert list(clock_uses(text)) == found


def test_no_test_depends_on_seconds() -> None:
    found = {
        f"{path.relative_to(TESTS)}: {what}"
        for path in TESTS.rglob("*.py")
        for what in clock_uses(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED
