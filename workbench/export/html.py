"""Pieces of HTML. Whatever comes from outside goes through `shown`."""

from collections.abc import Iterable, Sequence
from html import escape

from workbench.text import safe_lines, safe_text


def shown(value: object, limit: int = 200) -> str:
    """A string from outside as HTML that shows it and nothing else, in text and in attributes.

    Control characters and those that reorder text are shown as escapes.
    """
    return escape(safe_text(value, limit))


def shown_lines(value: object) -> str:
    """The same for text of several lines."""
    return escape(safe_lines(value))


def section(anchor: str, title: str, *parts: str) -> str:
    """A part of the page with its heading; "" where there is nothing in it.

    Args:
        anchor: what links lead to; a word of ours.
        parts: HTML.
    """
    inside = "\n".join(part for part in parts if part)
    if not inside:
        return ""
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">\n'
        f'<h2 id="{anchor}-title">{title}</h2>\n{inside}\n</section>'
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of HTML; `kind` is its class."""
    return f"<p{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{text}</p>"


def bullets(lines: Iterable[str]) -> str:
    """A list of HTML lines; "" without any."""
    items = "\n".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>\n{items}\n</ul>" if items else ""


def facts_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, both HTML; pairs without a value are left out."""
    items = "\n".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs if value
    )
    return f"<dl>\n{items}\n</dl>" if items else ""


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    words: frozenset[int] = frozenset(),
) -> str:
    """A table that scrolls where it is wider than the screen; "" without rows.

    Args:
        caption: what it shows, HTML.
        headers: of the columns, HTML.
        rows: cells, HTML; the first of each row is the row's own header.
        words: columns beyond the first that hold words, which lean left; others are numbers.
    """
    body = "\n".join(_row(cells, words) for cells in rows)
    if not body:
        return ""
    head = "".join(
        f'<th scope="col"{_kind(at, words)}>{header}</th>' for at, header in enumerate(headers)
    )
    content = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return scrolling_table(caption, content)


def scrolling_table(caption: str, content: str) -> str:
    """A table in a frame that scrolls, by keys too, where it is wider than the screen.

    Args:
        caption: what it shows, HTML without tags.
        content: head and body.
    """
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0">\n'
        f"<table>\n<caption>{caption}</caption>\n{content}\n</table>\n</div>"
    )


def folded(summary: str, inside: str) -> str:
    """What is shown once it is asked for; "" where there is nothing."""
    return f"<details>\n<summary>{summary}</summary>\n{inside}\n</details>" if inside else ""


def _row(cells: Sequence[str], words: frozenset[int]) -> str:
    first, *others = cells
    rest = "".join(f"<td{_kind(at, words)}>{cell}</td>" for at, cell in enumerate(others, 1))
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def _kind(column: int, words: frozenset[int]) -> str:
    return ' class="word"' if not column or column in words else ""
