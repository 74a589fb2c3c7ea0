"""A strategy as text: its plan, its cost here, its reference accuracy, its settings and tuning."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text

from workbench.bases.architectures import BASES
from workbench.experiment.cost import StageCost
from workbench.experiment.estimate import Forecast, make_forecast, reading_seconds
from workbench.experiment.facts import DataFacts
from workbench.experiment.fit_epochs import fit_beforehand, plan_time
from workbench.experiment.lr_find import Suggestion, format_rate, learning_rate_at, smoothed_losses
from workbench.experiment.presets import PRESETS, REFERENCE_ACCURACY
from workbench.experiment.search_space import Trial
from workbench.experiment.sections import SPLITS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import field_at
from workbench.experiment.stage_titles import stage_title
from workbench.experiment.toml import apply_settings
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr, tr_kept
from workbench.render.bases import LABEL, base_choices, describe_base
from workbench.render.canvas import Series
from workbench.render.plot import PlotOptions
from workbench.runs.results import reference_images
from workbench.text import (
    cell_width,
    cut_cells,
    format_bytes,
    format_seconds,
    pad_cells,
    plural,
    safe_text,
)
from workbench.words import shown

UNKNOWN_TIME = tr("not measured yet by the machine check")
# Tables that people change most come first.
ORDER = ("base", "model", "probe", "training", "augmentation", "data", "evaluation", "name")
CURVE_COLOR = "#5fafd7"  # of the losses over the learning rate
_PLOT_ROOM = 1.3  # times the highest loss before the lowest: the top of the plot
TRIAL_HEADERS = (
    tr("trial"),
    tr("val accuracy"),
    tr("val loss"),
    "dense_units",
    tr("dropout"),
    tr("rate"),
    tr("epoch"),
)


def forecast(spec: ExperimentSpec, facts: DataFacts, benchmark: BenchmarkResult | None) -> Forecast:
    """Return the cost of a spec's plan and, with a benchmark, its time.

    With a deadline the epochs are those that fit if the run starts now.
    """
    if benchmark is None:
        return make_forecast(spec, facts, None)
    speed, pace = benchmark.speed, benchmark.images_per_second
    device = tr("the CPU") if benchmark.kind == "cpu" else safe_text(benchmark.device, 24)
    reading = reading_seconds(facts, pace) if pace else 0.0
    plan = plan_time(spec, facts, speed)
    fitted, change = fit_beforehand(plan, reading, time.time())
    return replace(make_forecast(fitted, facts, speed, pace, device), deadline=change)


def strategy_details(
    preset: str,
    cost: Forecast | None,
    error: str,
    color: str = "",
    wide: bool = False,
    base: Text | None = None,
) -> Text:
    """Return everything about a strategy.

    Args:
        preset: the strategy.
        cost: None if the settings do not fit; `error` is the reason.
        error: "" without.
        color: of errors.
        wide: True if there is room for disk and memory.
        base: `bases.base_lines`; None without a base.
    """
    text = Text(tr_kept(PRESETS[preset].does))
    text.append("\n" + tr_kept(PRESETS[preset].choose), style="dim")
    if base:
        text.append_text(base)
    if error:
        text.append(f"\n\n! {safe_text(error, 300)}", style=color)
    if cost:
        for stage in cost.costs:
            text.append("\n").append_text(_stage(stage))
        if wide:
            text.append_text(_resources(cost))
        text.append("\n").append_text(_time(cost))
        if cost.deadline:
            text.append("\n" + pad_cells(tr("until"), LABEL), style="dim")
            text.append(cost.deadline, style="not dim")
    if reference := REFERENCE_ACCURACY.get(preset):
        text.append("\n" + pad_cells(tr("book"), LABEL), style="dim")
        text.append("-" if reference.book is None else f"{reference.book:.3f}")
        text.append(
            " " + tr("on {reference_images}", reference_images=reference_images(preset)),
            style="dim",
        )
        if reference.readers:
            text.append(tr("; its readers "), style="dim")
            text.append(f"{reference.readers:.2f}")
    return text


def recommendation_line(preset: str, why: str) -> Text:
    """Return the strategy to begin with, and why."""
    text = Text(tr("begin with "), style="dim")
    text.append(preset, style="bold not dim")
    return text.append(f"  {safe_text(why, 300)}", style="dim")


def describe_start(spec: ExperimentSpec, cost: Forecast | None) -> str:
    """Return what is about to be started, in a sentence or two."""
    what = spec.preset or spec.model.strategy
    title = (
        " " + tr("on {base_table_title}", base_table_title=spec.base_table.title)
        if spec.base
        else ""
    )
    stages = plural(len(cost.costs), "stage") if cost else ""
    duration = ""
    if cost and cost.total is not None:
        duration = tr(
            ", about {total} on {device}",
            total=format_seconds(cost.total),
            device=cost.device,
        )
    parts = " " + format_parts(cost.images) if cost else ""
    fitted = (
        "\n" + tr("For its deadline: {deadline}.", deadline=cost.deadline)
        if cost and cost.deadline
        else ""
    )
    return tr(
        "Train {what}{title}: {stages}{duration}.{parts}{fitted}",
        what=what,
        title=title,
        stages=stages,
        duration=duration,
        parts=parts,
        fitted=fitted,
    )


def format_parts(images: Mapping[str, int]) -> str:
    """Return how many images each part has: "train 450, validation none, test 150"."""
    counts = (f"{shown(part)} {images[part]:,}" if images[part] else
              tr("{part} none", part=shown(part)) for part in SPLITS)  # fmt: skip
    return tr("Images: {parts}.", parts=", ".join(counts))


STAGE = 46  # cells of the lines of a stage, with their label


def _stage(cost: StageCost) -> Text:
    """Return two lines of 46 cells, the room in a terminal of 80."""
    stage = cost.stage
    text = Text(pad_cells(tr("stage") if stage.index == 0 else "", LABEL), style="dim")
    epochs = tr("at once") if stage.is_solved else plural(stage.epochs, "epoch")
    room = STAGE - LABEL - len("1 , ") - cell_width(epochs)
    title = safe_text(stage_title(stage.name, room), room)
    text.append(f"{stage.index + 1} {title}", style="bold not dim")
    text.append(f", {epochs}\n{'':<{LABEL}}", style="not dim")
    text.append(
        tr(
            "{trainable:,} of {short} train, ",
            trainable=cost.trainable,
            short=_short(cost.parameters),
        ),
        style="not dim",
    )
    how = tr("solved") if stage.is_solved else f"{stage.optimizer} {stage.learning_rate:g}"
    return text.append(how, style="not dim")


def _short(count: int) -> str:
    """Return 16,812,353 as 16.8 M, small numbers unchanged."""
    return f"{count / 1e6:.1f} M" if count >= 1_000_000 else f"{count:,}"


def _resources(cost: Forecast) -> Text:
    """Return the cost of the base's single pass, and the memory."""
    text = Text()
    kept = cost.cached_bytes
    if kept:
        once = sum(one.prefix for one in cost.seconds)
        text.append("\n" + pad_cells(tr("base"), LABEL), style="dim")
        runs = (
            tr("runs twice an image, mirrored too, {kept} on disk", kept=format_bytes(kept))
            if any(one.stage.mirrored for one in cost.costs)
            else tr("runs once an image, {kept} on disk", kept=format_bytes(kept))
        )
        text.append(runs, style="not dim")
        text.append(
            tr(", {once} of the time", once=format_seconds(once)) if once else "", style="not dim"
        )
    memory = max(stage.memory_bytes for stage in cost.costs)
    text.append("\n" + pad_cells(tr("needs"), LABEL), style="dim")
    return text.append(
        tr("{memory} of memory or more", memory=format_bytes(memory)), style="not dim"
    )


def _time(cost: Forecast) -> Text:
    text = Text(pad_cells(tr("time"), LABEL), style="dim")
    if cost.total is None:
        return text.append(UNKNOWN_TIME, style="not dim")
    return text.append(
        tr("about {total} on {device}", total=format_seconds(cost.total), device=cost.device),
        style="not dim",
    )


# Settings: keys of the spec


def sort_keys(values: dict[str, Any], hidden: tuple[str, ...]) -> list[str]:
    """Return the visible keys in the order of the table."""
    keys = [key for key in values if key not in hidden]
    return sorted(keys, key=lambda key: ORDER.index(key.split(".")[0]))


def format_key_value(value: Any) -> str:
    """Return a value as it is shown and typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(format_key_value(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else safe_text(value, 200)


def truncate(text: str, room: int, utf8: bool = True) -> str:
    """Return a text cut to `room` cells with an ellipsis."""
    if utf8:
        return cut_cells(text, room)
    return text if len(text) <= room else text[: room - 3].rstrip() + "..."


def key_schema(key: str) -> dict[str, Any]:
    """Return the JSON schema of a key, {} if unknown."""
    return field_at(tuple(key.split("."))) or {}


def describe_key(key: str) -> str:
    """Return the description of a key, "" without one."""
    return tr_kept(str(key_schema(key).get("description", "")))


def describe_value(key: str, value: Any) -> str:
    """Return the description of a key, or of its value where that is a base."""
    about = describe_base(str(value)) if key == "base.name" else ""
    return about or describe_key(key)


def choice_lines(key: str) -> list[str]:
    """Return the choices of a key as they are listed."""
    return base_choices() if key == "base.name" else list(map(format_key_value, key_choices(key)))


def tuning_hint(key: str, key_of: Callable[[str], str]) -> str:
    """Return what tunes a value on the strategy screen, "" without it.

    Args:
        key: of the spec.
        key_of: returns the key of a binding by its id.
    """
    if key in ("training.learning_rate", "training.head_learning_rate"):
        return tr("{find} on Strategy finds one by trying.", find=key_of("strategy.lr-find"))
    if key in ("model.dense_units", "model.dropout"):
        return tr(
            "On a frozen base, {tune} on Strategy searches for good ones.",
            tune=key_of("strategy.tune"),
        )
    return ""


def key_choices(key: str) -> list[Any]:
    """Return all values of a key if there are few; [] if it is typed."""
    schema = key_schema(key)
    if key == "base.name":
        return list(BASES)
    if schema.get("type") == "boolean":
        return [True, False]
    return list(schema.get("enum", ()))


def parse_typed_value(key: str, text: str) -> Any:
    """Return typed text as the spec takes it; None for a key that is left out."""
    schema, text = key_schema(key), text.strip()
    kinds = {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ()))}
    if not text and "null" in kinds:
        return None
    words = text.strip("[]").replace(",", " ").split()
    if "array" in kinds and (len(words) != 1 or kinds == {"array"}):
        return [_toml_value(word) for word in words]
    if kinds <= {"string", "null", None} and "enum" not in schema and "anyOf" not in schema:
        return text
    if key == "name":
        return text
    return _toml_value(text)


def _toml_value(word: str) -> Any:
    """Return a word as TOML reads it, or as text."""
    word = word.strip("\"'")
    return apply_settings({}, (f"value={word}",)).get("value")


def lr_find_plot(
    losses: Sequence[float], steps: int, found: Suggestion, utf8: bool
) -> tuple[Series, PlotOptions]:
    """Return the smoothed losses over the logarithm of the rate, with the batches' as dots.

    Args:
        losses: of each step's batch; fewer than `steps` if the loss diverged.
        steps: planned.
        found: the suggested rate is marked.
        utf8: False for ASCII.
    """
    smoothed = smoothed_losses(losses)
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    top = _PLOT_ROOM * max(
        smoothed[: lowest + 1], default=1.0
    )  # the divergence would flatten everything else
    values = tuple(min(loss, top) for loss in smoothed)
    dots = tuple(loss if loss <= top else None for loss in losses)
    rates = [format_rate(learning_rate_at(step, steps)) for step in range(len(losses))]
    options = PlotOptions(
        epochs=len(losses),
        borders=((1, format_rate(learning_rate_at(0, steps))),),
        best=rates.index(format_rate(found.rate)) + 1 if found.rate else None,
        best_name=format_rate(found.rate) if found.rate else "",
        end_name=rates[-1] if rates else "",
        utf8=utf8,
        empty=tr("the loss is not a number"),
    )
    last = smoothed[-1] if smoothed else None
    return Series(tr("loss"), values, CURVE_COLOR, dots, last=last), options


def trial_cells(trial: Trial) -> tuple[str, ...]:
    """Return a row under `TRIAL_HEADERS`; loss and accuracy are of the best epoch."""
    diverged = trial.accuracy is None or trial.loss is None
    return (
        tr("{number} as given", number=1) if trial.number == 1 else f"{trial.number}",
        "-" if diverged else f"{trial.accuracy:.4f}",
        tr("diverged") if diverged else f"{trial.loss:.4f}",
        ", ".join(map(str, trial.candidate.dense_units)) or tr("none"),
        f"{trial.candidate.dropout:g}",
        f"{trial.candidate.learning_rate:g}",
        str(trial.epoch or "-"),
    )
