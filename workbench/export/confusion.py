"""Which labels were taken for which: the matrix, and the pairs that were confused most."""

from collections.abc import Iterator

from workbench.export.html import paragraph, scrolling_table, shown, table
from workbench.runs.confusion import Matrix
from workbench.runs.results import Results
from workbench.text import plural

_FEW_LABELS = 8  # up to which the matrix alone tells it
_PAIRS = 20


def confusion_parts(results: Results | None) -> list[str]:
    """The matrix as a table, and the pairs; nothing without results."""
    if results is None:
        return []
    parts, found = [], results.confusion
    if found.matrix:
        parts.append(_matrix(results, found.matrix))
    if len(results.labels) > _FEW_LABELS:
        headers = ("label", "taken for", "images")
        rows = [
            (shown(one.label), shown(one.predicted), f"{one.count:,}")
            for one in found.pairs[:_PAIRS]
        ]
        parts.append(table("Confused most", headers, rows, frozenset({1})))
    if found.file:
        parts.append(paragraph(f"The whole matrix is in the run's folder: {shown(found.file)}."))
    return parts


def _matrix(results: Results, matrix: Matrix) -> str:
    """Shades say which share of a label's images a cell holds; the number stands in each."""
    names = [shown(label, 40) for label in results.labels]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "\n".join(
        f'<tr><th scope="row">{name}</th>{"".join(_cells(row, at))}</tr>'
        for at, (name, row) in enumerate(zip(names, matrix, strict=True))
    )
    caption = f"True labels in rows, predicted in columns; {plural(results.images, 'image')}"
    head = f'<thead><tr><th scope="col">true</th>{head}</tr></thead>'
    return scrolling_table(caption, f"{head}\n<tbody>\n{body}\n</tbody>")


def _cells(row: tuple[int, ...], own: int) -> Iterator[str]:
    total = sum(row) or 1
    for column, count in enumerate(row):
        kind = "hit" if column == own else "miss"
        share = round(0.6 * count / total, 3)
        yield f'<td class="{kind}" style="--share: {share}">{count:,}</td>'
