"""Jinja templates, in `templates/`; what they print into HTML is made safe and escaped.

Templates get plain values: strings, numbers, tuples and dictionaries.
"""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

from workbench.export import script_code
from workbench.text import safe_lines, safe_text

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
        "literal": script_code.literal,
        "around_zero": script_code.around_zero,
        "around_one": script_code.around_one,
    }
    environment.globals["listing"] = script_code.listing
    return environment


@pass_eval_context
def _safe(context: EvalContext, value: Any) -> Any:
    if context.autoescape and isinstance(value, str) and not isinstance(value, Markup):
        return safe_text(value)
    return value
