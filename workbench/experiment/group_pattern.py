"""The pattern that names the group of an image: a regular expression over its path.

Python's `re` tries one way to match after the other, and for some patterns, such as `(a+)+$`,
their number is exponential. A pattern is accepted if its form bounds them, whatever the path: a
repetition holds nothing that varies, and the product over all that varies is at most `MAX_WAYS`
where each repetition has `MAX_PATH` ways. One has a single way where what follows is a character
that it cannot take: `[^/]+/`.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from workbench.messages import tr

EXAMPLE = r"(?P<group>patient_\d+)"
MAX_PATTERN = 200  # characters
MAX_PATH = 256  # characters; of a longer path only the last ones are read
MAX_WAYS = 4 * MAX_PATH**2  # two repetitions that overlap, and a few optional parts
_PART = "group"
_CHARACTERS = "".join(map(chr, range(0x3000)))  # they tell whether two sets overlap
_ANY = frozenset(_CHARACTERS)

# The parse tree of `re` has no public name since Python 3.11.
_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_ONE_CHARACTER = ("LITERAL", "NOT_LITERAL", "IN", "ANY")
_ENDS = ("AT_END", "AT_END_STRING")

Items = list[tuple[str, Any]]  # the name of an operation, and its arguments
Chars = frozenset[str]


@lru_cache(maxsize=8)
def compile_group_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern for `find_group`.

    Raises:
        ValueError: It is too long, no regular expression, has no part (?P<group>...), or could
            take very long.
    """
    if len(pattern) > MAX_PATTERN:
        length = len(pattern)
        raise ValueError(
            tr("received {length:,} characters; allowed: {most}", length=length, most=MAX_PATTERN)
        )
    try:
        found, tree = re.compile(pattern), _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise _refused(pattern, tr("it is no regular expression: {error}", error=error)) from None
    if _PART not in found.groupindex:
        raise _refused(pattern, tr("it has no part (?P<group>...)"))
    try:
        ways = _count_ways(tree, tree.state)
    except ValueError as error:
        raise _refused(pattern, str(error)) from None
    if ways > MAX_WAYS:
        raise _refused(
            pattern,
            tr(
                "it could take very long, as its repetitions overlap; end each by a character "
                "that it excludes, as in [^_]+_"
            ),
        )
    return found


def find_group(pattern: re.Pattern[str], path: str) -> str:
    """Return the group of an image; "" where the pattern matches nothing."""
    match = pattern.search(path[-MAX_PATH:])
    return (match[_PART] or "") if match else ""


def _refused(pattern: str, why: str) -> ValueError:
    return ValueError(
        tr(
            "received {pattern!r}; {why}; allowed: a regular expression such as '{example}'",
            pattern=pattern,
            why=why,
            example=EXAMPLE,
        )
    )


def _count_ways(tree: Iterable[tuple[Any, Any]], state: Any, after: Chars = frozenset()) -> int:
    """Return in how many ways a part of a pattern can match from one place on, at most.

    Args:
        tree: The part.
        state: Of the parser.
        after: The characters that may follow the part; none at the end.

    Raises:
        ValueError: Its form does not bound them.
    """
    ways = 1
    items = list(_opened(tree))
    for at, (kind, value) in enumerate(items):
        following = _first(items[at + 1 :], state, after)
        if kind in _REPEATS:
            least, most, body = int(value[0]), int(value[1]), value[2]
            begins = _first(list(_opened(body)), state, _ANY)
            inside = _count_ways(body, state, following if most == 1 else following | begins)
            if most > 1 and inside > 1:
                raise ValueError(tr("it repeats what varies itself, which may never end"))
            if least != most and (most == 1 or begins & following):
                ways *= inside + min(most, MAX_PATH) - least
        elif kind == "BRANCH":
            ways *= sum(_count_ways(branch, state, following) for branch in value[1])
        elif kind in ("ASSERT", "ASSERT_NOT"):
            ways *= _count_ways(value[1], state)
        elif kind == "GROUPREF_EXISTS":
            raise ValueError(tr("it depends on whether a part matched"))
    return ways


def _opened(tree: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the items of a part of a pattern, those of parts in brackets among them."""
    for kind, value in tree:
        if str(kind) in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _opened(value[-1] if str(kind) == "SUBPATTERN" else value)
        else:
            yield str(kind), value


def _first(items: Items, state: Any, after: Chars) -> Chars:
    """Return the characters that a sequence may begin with, all in doubt; `after` if it is empty.

    At the end of a path no character follows.
    """
    if not items:
        return after
    kind, value = items[0]
    if kind == "AT" and str(value) in _ENDS:
        return frozenset()
    if kind in _REPEATS and value[0] > 0:
        return _first(list(_opened(value[2])), state, _ANY)
    if kind not in _ONE_CHARACTER:
        return _ANY
    item = _parser.SubPattern(state, [(getattr(_parser, kind), value)])
    one = _compiler.compile(item, state.flags)
    return frozenset(match[0] for match in one.finditer(_CHARACTERS))
