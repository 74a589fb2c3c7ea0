"""A lesson's results as text: table, plot, conclusion. Pure."""

from collections.abc import Sequence

from rich.text import Text

from workbench.lessons.catalogue import LESSONS, conclude, lesson_picture, lesson_table
from workbench.lessons.lesson import BarPlot, CurvePlot, Lesson, LessonResults
from workbench.lessons.titles import lesson_title
from workbench.messages import tr
from workbench.render.canvas import MARKERS, Series
from workbench.render.marks import bar
from workbench.render.plot import PlotOptions, plot
from workbench.runs.work_titles import work_title
from workbench.text import (
    cell_width,
    fill_cells,
    format_seconds,
    pad_cells,
    plural,
    safe_text,
    table,
)

COLORS = ("#5fafd7", "#d7af5f", "#87d787", "#ff8787", "#8787af")
PLOT_ROWS = 12
MIN_PLOT_ROWS, MAX_PLOT_ROWS = 7, 16  # of a plot that fills the rest of a low page
BAR_WIDTH = 30
DATA_WIDTH = 36  # characters of the name of the data


def format_lesson_results(results: LessonResults, width: int, utf8: bool) -> Text:
    """Return question, table, plot and conclusion of a lesson, in `width` cells."""
    lesson = LESSONS[results.lesson]
    return Text("\n").join(
        [
            Text(lesson.title, "bold"),
            Text(_filled(lesson.question, width)),
            Text(f"{_filled(measured_on(results), width)}\n"),
            Text(f"{table_text(results, width)}\n"),
            format_lesson_picture(lesson_picture(results), width, PLOT_ROWS, utf8),
            Text(""),
            conclusion_text(results, width),
        ]
    )


def format_lesson(
    lesson: Lesson,
    results: LessonResults | None,
    width: int,
    rows: int,
    utf8: bool,
    weights_key: str,
    now: Text | None = None,
) -> Text:
    """Return a lesson as the app shows it: the conclusion comes before plot and table.

    Args:
        lesson: to show.
        results: None before it was run.
        width: cells.
        rows: of a page; a plot fills the rest of one, else it begins the next.
        utf8: False for ASCII.
        weights_key: that asks for a file of weights.
        now: progress, or a problem.
    """
    question = tr("{question} Section {section}.", question=lesson.question, section=lesson.section)
    parts = [Text(lesson.title, "bold"), Text(_filled(question, width)), Text("")]
    if now is not None:
        parts += [now, Text("")]
    if results is not None:
        parts += [conclusion_text(results, width), Text("")]
        picture = lesson_picture(results)
        measured = [
            Text(f"\n{table_text(results, width)}\n"),
            Text(_filled(measured_on(results), width)),
        ]
        blank, height = _place(picture, _lines(parts), _lines(measured), rows)
        parts += [Text("")] * blank
        parts += [format_lesson_picture(picture, width, height, utf8), *measured]
    elif now is None:
        parts.append(Text(tr("Not run here yet: enter runs it.")))
        if lesson.needs_base:
            needs = tr(
                "It needs ImageNet weights of the base; {key} names a file of them.",
                key=weights_key,
            )
            parts.append(Text(needs))
    return Text("\n").join(parts)


def _lines(parts: Sequence[Text]) -> int:
    return sum(part.plain.count("\n") + 1 for part in parts)


def _place(picture: CurvePlot | BarPlot, above: int, below: int, rows: int) -> tuple[int, int]:
    """Return blank lines before a picture, and its rows: the end of a page cuts no picture.

    On a high page it takes what the lines above and below leave.
    """
    least = 1 + (len(picture.rows) if isinstance(picture, BarPlot) else MIN_PLOT_ROWS)
    left = rows - above % rows
    if left < least:
        return left, PLOT_ROWS
    return 0, max(min(left - 1, MAX_PLOT_ROWS), left - 1 - below)


def format_lesson_progress(
    on: str, phase: str, done: int, total: int, utf8: bool, stop: str
) -> Text:
    """Return the progress of a lesson.

    Args:
        on: its images and seeds, from `describe_setting`.
        phase: what it does now.
        done: of `total` steps.
        total: 0 if unknown.
        utf8: False for ASCII.
        stop: the key that stops it.
    """
    phase = safe_text(work_title(phase), 40)
    text = Text.assemble(
        (tr("Running"), "bold"),
        tr(" on {on}; {stop} stops it.\n{phase}", on=on, stop=stop, phase=phase),
    )
    if total:
        text.append(
            "  "
            + tr(
                "{bar}  {done:,} of {total:,}",
                bar=bar(done / total, BAR_WIDTH, utf8),
                done=done,
                total=total,
            )
        )
    return text


def format_notice(words: str, width: int, color: str) -> Text:
    """Return a message, line by line."""
    return Text("\n".join(_filled(line, width) for line in words.split("\n")), color)


def describe_setting(data: str, seeds: Sequence[int]) -> str:
    """Return images and seeds: "digits, seeds 1, 2, 3"."""
    numbers = ", ".join(map(str, seeds))
    data = safe_text(data, DATA_WIDTH)
    if len(seeds) == 1:
        return tr("{data}, seed {seed}", data=data, seed=numbers)
    return tr("{data}, seeds {seeds}", data=data, seeds=numbers)


def measured_on(results: LessonResults) -> str:
    """Return images, seeds and duration of a lesson."""
    return tr(
        "{setting}; {training_images}, {images} measured on; {seconds}",
        setting=describe_setting(results.data, results.seeds),
        training_images=plural(results.images["train"], "training image"),
        images=plural(results.measured_on, "image"),
        seconds=format_seconds(results.seconds),
    )


def table_text(results: LessonResults, width: int) -> str:
    """Return all variants side by side; if too wide, in two tables."""
    made = lesson_table(results)
    headers = [lesson_title(name) for name in made.headers]
    rows = [[lesson_title(name) for name in row] for row in made.rows]
    whole = table(headers, rows, made.right)
    if max(map(cell_width, whole.splitlines())) <= width:
        return whole
    half = len(made.headers) // 2 + 1
    parts = ((0, *range(1, half)), (0, *range(half, len(made.headers))))
    return "\n\n".join(
        table(
            [headers[at] for at in columns],
            [[row[at] for at in columns] for row in rows],
            "".join(made.right[at] for at in columns),
        )
        for columns in parts
    )


def format_lesson_picture(
    picture: CurvePlot | BarPlot, width: int, height: int, utf8: bool
) -> Text:
    """Return a plot of `height` rows under its title; bars have a row each."""
    if isinstance(picture, BarPlot):
        return _bars(picture, width, utf8)
    options = PlotOptions(
        borders=((1, lesson_title(picture.places[0])),),
        end_name=lesson_title(picture.places[1]),
        utf8=utf8,
        empty=tr("nothing"),
    )
    series = [
        Series(
            lesson_title(name), values, COLORS[i % len(COLORS)], marker=MARKERS[i % len(MARKERS)]
        )
        for i, (name, values) in enumerate(picture.series)
    ]
    return Text("\n").join([Text(picture.title), plot(series, width, height, options)])


def _bars(picture: BarPlot, width: int, utf8: bool) -> Text:
    rows = [(lesson_title(name), value, shown) for name, value, shown in picture.rows]
    longest = max(cell_width(name) for name, _, _ in rows)
    most = max(value for _, value, _ in picture.rows) or 1.0
    room = width - longest - max(cell_width(shown) for _, _, shown in picture.rows) - 4
    cells = max(min(room, BAR_WIDTH), 1)
    lines = [
        f"{pad_cells(name, longest)}  {bar(value / most, cells, utf8)}  {shown}"
        for name, value, shown in rows
    ]
    return Text("\n".join([picture.title, *lines]))


def conclusion_text(results: LessonResults, width: int) -> Text:
    """Return whether the effect was seen and on what data, then the conclusion."""
    conclusion = conclude(results)
    setting = describe_setting(results.data, results.seeds)
    on = (
        tr("Seen here. On {setting}:", setting=setting)
        if conclusion.seen
        else tr("Not seen here. On {setting}:", setting=setting)
    )
    lines = [_filled(on, width)]
    lines += [_filled(safe_text(line, 1000), width) for line in conclusion.lines]
    text = Text("\n".join(lines))
    text.stylize("bold", 0, len(lines[0]))
    return text


def _filled(words: str, width: int) -> str:
    return fill_cells(words, width, break_on_hyphens=False)
