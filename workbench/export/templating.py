"""Jinja templates, in `templates/`; what they print into HTML is made safe and escaped.

Templates get plain values: strings, numbers, tuples and dictionaries. Those of Python source have
filters for literals and ranges.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

from workbench.messages import tr
from workbench.text import safe_lines, safe_text

WIDTH = 88  # columns, which every formatter's default allows
FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """Return a template's text.

    In `.html.j2` and `.svg.j2` every value is escaped, and control characters and those that
    reorder text become visible escapes.

    Args:
        template: path below `templates/`.
        **values: of the template's variables.
    """
    return _environment().get_template(template).render(values)


def upto(value: object, limit: int) -> Markup:
    """Return a string from outside as HTML, longer than the 200 characters of other values."""
    return Markup(escape(safe_text(value, limit)))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=lambda name: name is not None and name.endswith((".html.j2", ".svg.j2")),
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "upto": upto,
        "lines": lambda value: Markup(escape(safe_lines(value))),
        "literal": literal,
        "around_zero": around_zero,
        "around_one": around_one,
    }
    environment.globals |= {"listing": listing, "tr": tr}
    return environment


@pass_eval_context
def _safe(context: EvalContext, value: Any) -> Any:
    if context.autoescape and isinstance(value, str) and not isinstance(value, Markup):
        return safe_text(value)
    return value


def literal(value: str) -> str:
    """Return a string literal in ASCII; whatever the value is, it cannot end the literal."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escaped(character, quote) for character in value) + quote


def listing(name: str, items: Iterable[str]) -> str:
    """Return `NAME = ["a", "b"]` on one line if it fits, else with one item a line."""
    cells = [literal(item) for item in items]
    line = f"{name} = [{', '.join(cells)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = [", *(f"    {cell}," for cell in cells), "]"])


def around_zero(reach: float) -> str:
    """Return the limits of a change that adds up to `reach`."""
    return f"{-reach}, {reach}" if reach else "0, 0"


def around_one(reach: float) -> str:
    """Return the limits of a factor that differs from 1 by up to `reach`."""
    return f"{round(1 - reach, 9)}, {round(1 + reach, 9)}"


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
