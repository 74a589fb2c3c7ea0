"""An experiment's results as text: table, plot, conclusion. Pure."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from workbench.lessons.catalogue import EXPERIMENTS, Experiment
from workbench.lessons.conclusions import conclude
from workbench.lessons.pictures import Bars, Curves, picture_of, table_of
from workbench.lessons.results import Results
from workbench.render.marks import bar
from workbench.render.plot import PlotOptions, plot
from workbench.render.plot_canvas import Series
from workbench.text import human_seconds, plural, safe_text, table

COLORS = ("#5fafd7", "#d7af5f", "#87d787", "#ff8787", "#8787af")
MARKERS = "*o+x#"
PLOT_ROWS = 12
LEAST_PLOT_ROWS, MOST_PLOT_ROWS = 7, 16  # where a plot takes what is left of a page
BAR_WIDTH = 30
DATA_WIDTH = 36  # characters of what the images are called


def results_text(results: Results, width: int, utf8: bool) -> Text:
    """All that an experiment has to show, in so many cells of width; the conclusion last."""
    experiment = EXPERIMENTS[results.experiment]
    return Text("\n").join(
        [
            Text(experiment.title, "bold"),
            Text(_filled(experiment.question, width)),
            Text(f"{_filled(measured_on(results), width)}\n"),
            Text(f"{table_text(results, width)}\n"),
            picture_text(picture_of(results), width, PLOT_ROWS, utf8),
            Text(""),
            conclusion_text(results, width),
        ]
    )


def sheet_text(
    experiment: Experiment,
    results: Results | None,
    width: int,
    rows: int,
    utf8: bool,
    now: Text | None = None,
) -> Text:
    """What the app shows of an experiment: the question, and the conclusion before its figures.

    Args:
        rows: of a page; a plot takes what is left of one, else it begins the next.
        now: what is going on with the experiment, or in its way.
    """
    question = f"{experiment.question} Section {experiment.section}."
    parts = [Text(experiment.title, "bold"), Text(_filled(question, width)), Text("")]
    if now is not None:
        parts += [now, Text("")]
    if results is not None:
        parts += [conclusion_text(results, width), Text("")]
        picture = picture_of(results)
        above = sum(part.plain.count("\n") + 1 for part in parts)
        blank, height = _place(picture, above, rows)
        parts += [Text("")] * blank
        parts += [
            picture_text(picture, width, height, utf8),
            Text(f"\n{table_text(results, width)}\n"),
            Text(_filled(measured_on(results), width)),
        ]
    elif now is None:
        parts.append(Text("Not tried here yet: enter does."))
        if experiment.on_base:
            parts.append(Text("It needs ImageNet weights of the base; w names a file of them."))
    return Text("\n").join(parts)


def _place(picture: Curves | Bars, above: int, rows: int) -> tuple[int, int]:
    """Blank lines before a picture, and its rows: no picture is cut by the end of a page."""
    least = 1 + (len(picture.rows) if isinstance(picture, Bars) else LEAST_PLOT_ROWS)
    left = rows - above % rows
    if left < least:
        return left, PLOT_ROWS
    return 0, min(left - 1, MOST_PLOT_ROWS)


def at_work_text(on: str, phase: str, done: int, total: int, utf8: bool) -> Text:
    """How far an experiment has come.

    Args:
        on: its images and seeds, as `setting_words` has them.
        total: 0 where it is not known.
    """
    text = Text.assemble(("At work", "bold"), f" on {on}; x stops it.\n{safe_text(phase, 40)}")
    if total:
        text.append(f"  {bar(done / total, BAR_WIDTH, utf8)}  {done:,} of {total:,}")
    return text


def notice_text(words: str, width: int, color: str) -> Text:
    """What is in an experiment's way, line by line."""
    return Text("\n".join(_filled(line, width) for line in words.split("\n")), color)


def setting_words(data: str, seeds: Sequence[int]) -> str:
    """Images and seeds: "digits, seeds 1, 2, 3"."""
    numbers = ", ".join(map(str, seeds))
    return f"{safe_text(data, DATA_WIDTH)}, {'seed' if len(seeds) == 1 else 'seeds'} {numbers}"


def measured_on(results: Results) -> str:
    """On which images, with which seeds, and how long it took."""
    return (
        f"{setting_words(results.data, results.seeds)}; "
        f"{plural(results.images['train'], 'training image')}, "
        f"{plural(results.measured_on, 'image')} measured on; {human_seconds(results.seconds)}"
    )


def table_text(results: Results, width: int) -> str:
    """All variants side by side; what is too wide goes on in a second table."""
    made = table_of(results)
    whole = table(made.headers, made.rows, made.right)
    if max(map(len, whole.splitlines())) <= width:
        return whole
    half = len(made.headers) // 2 + 1
    parts = ((0, *range(1, half)), (0, *range(half, len(made.headers))))
    return "\n\n".join(
        table(
            [made.headers[at] for at in columns],
            [[row[at] for at in columns] for row in made.rows],
            "".join(made.right[at] for at in columns),
        )
        for columns in parts
    )


def picture_text(picture: Curves | Bars, width: int, height: int, utf8: bool) -> Text:
    """A plot of so many rows under its title; bars have as many rows as there are."""
    if isinstance(picture, Bars):
        return _bars(picture, width, utf8)
    options = PlotOptions(
        borders=((1, picture.places[0]),), end_name=picture.places[1], utf8=utf8, empty="nothing"
    )
    series = [
        Series(name, values, COLORS[i % len(COLORS)], marker=MARKERS[i % len(MARKERS)])
        for i, (name, values) in enumerate(picture.series)
    ]
    return Text("\n").join([Text(picture.title), plot(series, width, height, options)])


def _bars(picture: Bars, width: int, utf8: bool) -> Text:
    longest = max(len(name) for name, _, _ in picture.rows)
    most = max(figure for _, figure, _ in picture.rows) or 1.0
    room = width - longest - max(len(shown) for _, _, shown in picture.rows) - 4
    cells = max(min(room, BAR_WIDTH), 1)
    lines = [
        f"{name:<{longest}}  {bar(figure / most, cells, utf8)}  {shown}"
        for name, figure, shown in picture.rows
    ]
    return Text("\n".join([picture.title, *lines]))


def conclusion_text(results: Results, width: int) -> Text:
    """Whether it was seen and on what, then the sentences, wrapped."""
    conclusion = conclude(results)
    seen = "Seen here." if conclusion.seen else "Not seen here."
    on = f"{seen} On {setting_words(results.data, results.seeds)}:"
    lines = [_filled(on, width)]
    lines += [_filled(safe_text(line, 1000), width) for line in conclusion.lines]
    text = Text("\n".join(lines))
    text.stylize("bold", 0, len(seen))
    return text


def _filled(words: str, width: int) -> str:
    return textwrap.fill(words, width, break_on_hyphens=False)
