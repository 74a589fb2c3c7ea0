"""What the strategy screen says of a rung: its plan, its cost here, and what others reached."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rich.text import Text

from workbench.bases.catalogue import BASES
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.estimate import StageSeconds, reading_seconds, stage_seconds
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.strategies import FIGURES
from workbench.experiment.strategy_texts import RUNG_TEXTS
from workbench.experiment.toml import apply_settings
from workbench.machine.benchmark_store import Figures
from workbench.runs.results import book_images
from workbench.text import human_bytes, human_seconds, plural, safe_text

UNKNOWN_TIME = "not measured yet: press m on home"
_LABEL = 6  # cells
# What people change most comes first.
ORDER = ("base", "model", "training", "augmentation", "data", "evaluation", "name")


@dataclass(frozen=True)
class Forecast:
    """What a spec will cost.

    Attributes:
        seconds: of each stage; empty where the machine was not measured.
        total: seconds in all, at most; None likewise.
        device: what it was measured on.
        disk: bytes of cached outputs that each stage keeps.
    """

    costs: tuple[StageCost, ...]
    disk: tuple[int, ...] = ()
    seconds: tuple[StageSeconds, ...] = ()
    total: float | None = None
    device: str = ""


def forecast(spec: ExperimentSpec, facts: DataFacts, figures: Figures | None) -> Forecast:
    """Counts a spec's plan and, where there are figures, its time."""
    costs = tuple(stage_costs(spec, facts.classes))
    images = expected_images(facts, spec.data.split)
    disk = tuple(cost.kept_bytes(images) for cost in costs)
    if figures is None:
        return Forecast(costs, disk)
    seconds = tuple(stage_seconds(cost, images, figures.speed) for cost in costs)
    total = sum(one.total for one in seconds)
    if figures.images_per_second:
        total += reading_seconds(facts, figures.images_per_second)
    device = "the CPU" if figures.kind == "cpu" else safe_text(figures.device, 24)
    return Forecast(costs, disk, seconds, total, device)


def rung_details(
    preset: str, told: Forecast | None, error: str, color: str = "", wide: bool = False
) -> Text:
    """Everything about a rung.

    Args:
        told: None where the settings do not fit; `error` says why.
        color: of errors.
        wide: True where there is room for what is kept on disk and in memory.
    """
    words = RUNG_TEXTS[preset]
    text = Text(words.does)
    text.append(f"\n{words.choose}", style="dim")
    if error:
        text.append(f"\n\n! {safe_text(error, 300)}", style=color)
    if told:
        for cost in told.costs:
            text.append("\n").append_text(_stage(cost))
        if wide:
            text.append_text(_means(told))
        text.append("\n").append_text(_time(told))
    if figures := FIGURES.get(preset):
        text.append(f"\n{'book':<{_LABEL}}", style="dim")
        text.append("-" if figures.book is None else f"{figures.book:.3f}")
        text.append(f" on {book_images(preset)}", style="dim")
        if figures.readers:
            text.append("; its readers ", style="dim")
            text.append(f"{figures.readers:.2f}")
    return text


def recommendation_line(preset: str, why: str) -> Text:
    """Where to begin, and why."""
    text = Text("begin with ", style="dim")
    text.append(preset, style="bold not dim")
    return text.append(f"  {safe_text(why, 300)}", style="dim")


def start_words(spec: ExperimentSpec, told: Forecast | None) -> str:
    """What is about to be started, in a sentence or two."""
    what = spec.preset or spec.model.strategy
    title = f" on {spec.base_table.title}" if spec.base else ""
    stages = plural(len(told.costs), "stage") if told else ""
    time = ""
    if told and told.total is not None:
        time = f", at most about {human_seconds(told.total)} on {told.device}"
    return f"Train {what}{title}: {stages}{time}."


def _stage(cost: StageCost) -> Text:
    """Two lines of 46 cells, which is what a terminal of 80 leaves."""
    stage = cost.stage
    text = Text(f"{'stage' if stage.index == 0 else '':<{_LABEL}}", style="dim")
    text.append(f"{stage.index + 1} {safe_text(stage.name, 30)}", style="bold not dim")
    text.append(f", {plural(stage.epochs, 'epoch')}\n{'':<{_LABEL}}", style="not dim")
    text.append(f"{cost.trainable:,} of {_short(cost.parameters)} train, ", style="not dim")
    return text.append(f"{stage.optimizer} {stage.learning_rate:g}", style="not dim")


def _short(count: int) -> str:
    """16,812,353 as 16.8 M; small numbers as they are."""
    return f"{count / 1e6:.1f} M" if count >= 1_000_000 else f"{count:,}"


def _means(told: Forecast) -> Text:
    """What the base's pass costs once, and the memory."""
    text = Text()
    kept = sum(told.disk)
    if kept:
        once = sum(one.prefix for one in told.seconds)
        text.append(f"\n{'base':<{_LABEL}}", style="dim")
        text.append(f"runs once an image, {human_bytes(kept)} on disk", style="not dim")
        text.append(f", {human_seconds(once)} of the time" if once else "", style="not dim")
    memory = max(cost.memory_bytes for cost in told.costs)
    text.append(f"\n{'needs':<{_LABEL}}", style="dim")
    return text.append(f"{human_bytes(memory)} of memory or more", style="not dim")


def _time(told: Forecast) -> Text:
    text = Text(f"{'time':<{_LABEL}}", style="dim")
    if told.total is None:
        return text.append(UNKNOWN_TIME, style="not dim")
    return text.append(f"at most {human_seconds(told.total)} on {told.device}", style="not dim")


# Options: keys of the spec


def ordered(values: dict[str, Any], hidden: tuple[str, ...]) -> list[str]:
    """The keys in the order of the table."""
    keys = [key for key in values if key not in hidden]
    return sorted(keys, key=lambda key: ORDER.index(key.split(".")[0]))


def value_in_words(value: Any) -> str:
    """A value as it is shown and typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(value_in_words(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else safe_text(value, 200)


def cut(words: str, room: int, utf8: bool = True) -> str:
    """Words in so many cells; what is left out is told by an ellipsis."""
    dots = "…" if utf8 else "..."
    return words if len(words) <= room else words[: room - len(dots)].rstrip() + dots


@lru_cache
def _schema() -> dict[str, Any]:
    """The whole JSON schema; making it takes some milliseconds, so it is made once."""
    return ExperimentSpec.model_json_schema()


def schema_of(key: str) -> dict[str, Any]:
    """The JSON schema of a key, {} where there is none."""
    here = _schema()
    for name in key.split("."):
        here = _table(here).get("properties", {}).get(name, {})
    return here


def _table(node: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference to a table, which may be one that can be left out."""
    node = next((one for one in node.get("anyOf", ()) if "$ref" in one), node)
    reference = node.get("$ref", "")
    return _schema()["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


def described(key: str) -> str:
    """What a key means; its name where it says enough."""
    return str(schema_of(key).get("description", ""))


def found_by(key: str) -> str:
    """Which key of the strategy screen finds a value by trying; "" where none does."""
    if key in ("training.learning_rate", "training.head_learning_rate"):
        return "f on Strategy finds one by trying."
    if key in ("model.dense_units", "model.dropout"):
        return "On a frozen base, s on Strategy searches for good ones."
    return ""


def choices_of(key: str) -> list[Any]:
    """All values a key can have where there are few; [] where it is typed."""
    schema = schema_of(key)
    if key == "base.name":
        return list(BASES)
    if schema.get("type") == "boolean":
        return [True, False]
    return list(schema.get("enum", ()))


def typed_value(key: str, text: str) -> Any:
    """What was typed, as the spec takes it; None for a key that is left out."""
    schema, text = schema_of(key), text.strip()
    kinds = {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ()))}
    if not text and "null" in kinds:
        return None
    words = text.strip("[]").replace(",", " ").split()
    if "array" in kinds and (len(words) != 1 or kinds == {"array"}):
        return [_plain(word) for word in words]
    if kinds <= {"string", "null", None} and "enum" not in schema and "anyOf" not in schema:
        return text
    if key == "name":
        return text
    return _plain(text)


def _plain(word: str) -> Any:
    """A word as TOML reads it, and as text where it is none."""
    word = word.strip("\"'")
    return apply_settings({}, (f"value={word}",)).get("value")
