"""All rungs on the images of a draft: the spec of each, and what they cost here together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.app.draft import Draft, plain_message
from workbench.app.run_progress import rough_time
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import Figures
from workbench.render.strategy import UNKNOWN_TIME, forecast
from workbench.text import human_seconds, plural

OF_THE_BASE = ("base.name", "base.weights")


@dataclass(frozen=True)
class PlannedRung:
    """A rung that could be trained.

    Attributes:
        spec: None where the settings do not fit; `error` says why.
        seconds: at most; None where the machine was not measured.
        device: what it was measured on.
    """

    preset: str
    spec: ExperimentSpec | None = None
    error: str = ""
    seconds: float | None = None
    device: str = ""


def plan_rungs(
    draft: Draft, presets: Sequence[str], figures: Figures | None
) -> tuple[PlannedRung, ...]:
    """Each rung as the strategy step shows it, all on the base that was chosen.

    Args:
        draft: with images and their facts.
        figures: of the device that they would take.
    """
    return tuple(_planned(draft, preset, figures) for preset in presets)


def _planned(draft: Draft, preset: str, figures: Figures | None) -> PlannedRung:
    try:
        spec = rung_spec(draft, preset)
    except UserError as error:
        return PlannedRung(preset, error=plain_message(error))
    if draft.facts is None or figures is None:
        return PlannedRung(preset, spec)
    told = forecast(spec, draft.facts, figures)
    return PlannedRung(preset, spec, seconds=told.total, device=told.device)


def rung_spec(draft: Draft, preset: str) -> ExperimentSpec:
    """The spec of a rung; a name is the ladder's to give.

    Raises:
        UserError: a setting does not fit.
    """
    rung = draft.preview(preset)
    settings = {key: value for key, value in rung.settings.items() if key != "name"}
    spec = rung.with_settings(settings)
    chosen = {key: draft.settings[key] for key in OF_THE_BASE if key in draft.settings}
    return rung.with_settings({**settings, **chosen}) if spec.base and chosen else spec


def ladder_words(data: str, rungs: Sequence[PlannedRung]) -> str:
    """What is about to be started.

    Args:
        data: what people know the images by.
    """
    words = f"Train {plural(len(rungs), 'rung')} on {data}, one run after the other"
    known = [rung.seconds for rung in rungs if rung.seconds is not None]
    if not known:
        return f"{words}."
    return f"{words}: at most about {rough_time(sum(known))} in all on {rungs[0].device}."


def rung_words(rung: PlannedRung) -> str:
    """What a rung costs, or why it cannot be had."""
    if rung.spec is None:
        return f"! {rung.error}"
    return UNKNOWN_TIME if rung.seconds is None else f"at most {human_seconds(rung.seconds)}"
