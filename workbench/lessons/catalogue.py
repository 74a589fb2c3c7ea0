"""What other packages use of the lessons: their names, requests to a worker, and stored results.

Results are stored in saved_models/.learn/NAME-DATA.json.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.experiment.plan import layer_rows
from workbench.experiment.receptive_field import receptive_fields
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import convolution_stack
from workbench.experiment.toml import dump_spec, spec_tree
from workbench.files import write_atomic
from workbench.lessons.convnets import BORDERS, POOLING, TRANSLATION
from workbench.lessons.lesson import (
    BarPlot,
    Conclusion,
    CurvePlot,
    Lesson,
    LessonResults,
    ResultTable,
)
from workbench.lessons.pretrained import DEPTH, HEAD_FIRST, PREPROCESSING, RECOMPILE, TWO_WAYS
from workbench.lessons.small_data import HOW_MUCH_DATA, OVERFITTING
from workbench.lessons.variants import LessonInputs, Variant
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_choices, format_shape, plural, safe_text

# In the order of the chapter.
LESSONS = {
    lesson.name: lesson
    for lesson in (
        TRANSLATION,
        BORDERS,
        POOLING,
        OVERFITTING,
        HOW_MUCH_DATA,
        RECOMPILE,
        TWO_WAYS,
        PREPROCESSING,
        HEAD_FIRST,
        DEPTH,
    )
}
JOB = "lessons"
MAX_SEEDS = 10
FORMAT = 1
FOLDER = ".learn"


def find_lesson(name: str) -> Lesson:
    """Return the lesson of that name.

    Raises:
        UserError: there is none; the message lists all lessons.
    """
    if name in LESSONS:
        return LESSONS[name]
    close = difflib.get_close_matches(name, LESSONS, n=1)
    raise UserError(
        tr(
            "There is no lesson {name}; allowed: {choices}.",
            name=safe_text(repr(name)),
            choices=format_choices(list(LESSONS)),
        ),
        tr("Did you mean {close}?", close=close[0])
        if close
        else tr("`workbench lessons` lists what each is about."),
    )


def conclude(results: LessonResults) -> Conclusion:
    """Return the conclusion of a lesson from its results."""
    conclusion = LESSONS[results.lesson].conclude(results)
    if results.weights != "random":
        return conclusion
    random = tr(
        "The base had random weights, which know nothing: this shows nothing about "
        "a pretrained base."
    )
    return Conclusion(conclusion.seen, (random, *conclusion.lines))


def lesson_picture(results: LessonResults) -> CurvePlot | BarPlot:
    """Return what is drawn of the results; means over the seeds."""
    return LESSONS[results.lesson].picture(results)


def lesson_table(results: LessonResults) -> ResultTable:
    """Return all variants with their results."""
    return LESSONS[results.lesson].table(results)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in "1,2,3".

    Raises:
        UserError: they are not whole numbers from 0 on, repeated, or too many.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise UserError(
            tr(
                "--seeds takes whole numbers separated by commas, such as 1,2,3; "
                "received {value!r}.",
                value=text,
            )
        )
    seeds = tuple(dict.fromkeys(map(int, parts)))
    if len(seeds) != len(parts) or len(seeds) > MAX_SEEDS:
        raise UserError(
            tr(
                "--seeds takes 1 to {max_seeds} different numbers; received {value!r}.",
                max_seeds=MAX_SEEDS,
                value=text,
            )
        )
    return seeds


def make_request(
    lesson: Lesson, variants: Sequence[Variant], seeds: Sequence[int], scratch: Path
) -> dict[str, Any]:
    """Return the request for the job.

    Args:
        lesson: what is tried.
        variants: its networks.
        seeds: of each.
        scratch: an empty folder that the caller removes when the job has ended.
    """
    return {
        "experiment": lesson.name,
        "seeds": list(seeds),
        "scratch": str(scratch),
        "variants": [
            {"name": v.name, "spec": spec_tree(v.spec), "per_class": v.per_class} for v in variants
        ],
    }


def build_results(
    lesson: Lesson,
    variants: Sequence[Variant],
    inputs: LessonInputs,
    data: str,
    seeds: Sequence[int],
    result: Mapping[str, Any],
    seconds: float,
) -> LessonResults:
    """Return results from the result of the worker.

    Args:
        lesson: what was tried.
        variants: its networks.
        inputs: that they were made for.
        data: the images as the user named them.
        seeds: in the order of the runs.
        result: of the job.
        seconds: that the job took.
    """
    return LessonResults(
        lesson=lesson.name,
        data=data,
        source=inputs.source,
        seeds=tuple(seeds),
        images=result["images"],
        weights=inputs.weights if lesson.needs_base else "",
        seconds=seconds,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        facts={v.name: network_facts(v.spec, inputs.facts.classes) for v in variants},
        runs={name: tuple(runs) for name, runs in result["runs"].items()},
    )


def network_facts(spec: ExperimentSpec, classes: int) -> dict[str, Any]:
    """Return parameters of a network; of a convnet also sizes and receptive field."""
    facts: dict[str, Any] = {"parameters": sum(row.parameters for row in layer_rows(spec, classes))}
    if spec.model.strategy == "convnet":
        rows = convolution_stack(spec.data.input_shape, spec.model.convolutions)
        shapes = [spec.data.input_shape, *(row.output_shape for row in rows)]
        facts["sizes"] = " > ".join(format_shape(shape) for shape in shapes)
        fields = [layer.field for layer in receptive_fields(spec, classes) if layer.field]
        facts["receptive_field"] = fields[-1].size
    return facts


def write_specs(folder: Path, lesson: Lesson, variants: Sequence[Variant]) -> list[Path]:
    """Write the spec of every variant as TOML; return the files.

    Raises:
        UserError: a file of that name exists.
        OSError: the folder cannot be written.
    """
    names = [v.name.replace("/", "-").replace(",", "").replace(" ", "-") for v in variants]
    paths = [folder / f"{lesson.name}-{name}.toml" for name in names]
    for path in paths:
        if path.exists():
            raise UserError(
                tr("{path} exists already.", path=path), tr("Name another folder with --specs DIR.")
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, variant in zip(paths, variants, strict=True):
        about = (
            f"# {lesson.title}: {variant.name}.\n"
            f"# workbench lessons trains it on {plural(variant.per_class, 'image')} a class of the "
            "training part.\n"
        )
        write_atomic(path, about + dump_spec(variant.spec))
    return paths


def as_tree(results: LessonResults) -> dict[str, Any]:
    """Return plain data for JSON."""
    tree = asdict(results)
    return {"format": FORMAT, "experiment": tree.pop("lesson"), **tree}


def results_path(workspace: Workspace, lesson: str, data: str, source: Path) -> Path:
    """Return where results are stored; for a user's own images with a hash of their path.

    Args:
        workspace: holds the file, and the sets of the catalogue.
        lesson: its name.
        data: the images as the user named them.
        source: their absolute path.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data).name).strip("-.")[:40] or "data"
    if not source.is_relative_to(workspace.data):
        mark = hashlib.blake2b(str(source).encode("utf-8", "surrogateescape"), digest_size=3)
        name = f"{name}-{mark.hexdigest()}"
    return workspace.runs / FOLDER / f"{lesson}-{name}.json"


def save_results(workspace: Workspace, results: LessonResults) -> Path:
    """Write results, replacing those of the same lesson and images; return the file.

    Raises:
        OSError: it cannot be written.
    """
    path = results_path(workspace, results.lesson, results.data, Path(results.source))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(as_tree(results), indent=1))
    return path


def load_results(path: Path) -> LessonResults | None:
    """Return results from a file; None where it is missing, of another format, or incomplete."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        tree["lesson"] = tree["experiment"]
        if tree["format"] != FORMAT or tree["lesson"] not in LESSONS:
            return None
        tree["seeds"] = tuple(tree["seeds"])
        tree["runs"] = {name: tuple(map(dict, each)) for name, each in tree["runs"].items()}
        found = LessonResults(**{field.name: tree[field.name] for field in fields(LessonResults)})
        conclude(found), lesson_picture(found), lesson_table(found)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None
    return found


def newest_results(workspace: Workspace, lesson: str) -> LessonResults | None:
    """Return the newest stored results of a lesson, on any images."""
    stored: list[tuple[int, Path]] = []
    for path in (workspace.runs / FOLDER).glob(f"{lesson}-*.json"):
        try:
            stored.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue
    found = (load_results(path) for _, path in sorted(stored, reverse=True))
    return next((r for r in found if r is not None and r.lesson == lesson), None)
