"""Fits a run's epochs to its deadline: once, before its first step, written before it trains.

A worker that is killed in between has trained nothing; the next one fits what was written.
"""

import math
import time
from typing import TYPE_CHECKING

from workbench.errors import UserError
from workbench.experiment.deadline import (
    Deadline,
    check_deadline,
    format_moment,
    parse_budget,
)
from workbench.experiment.fit_epochs import END_SECONDS, MARGIN, PlanTime
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import dump_spec
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.text import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.training.trainer import Trainer


def set_deadline(
    trainer: "Trainer",
    folder: RunFolder,
    speed: ThroughputModel | None,
    started: float,
    notice: "Callable[[str], None]",
    clock: "Callable[[], float]" = time.time,
) -> None:
    """Give a trainer its deadline, and fit the epochs unless the run may have trained already.

    The run's spec.toml then holds both, the deadline as unix seconds. Without deadline and time
    budget nothing changes.

    Args:
        trainer: of the whole plan.
        folder: of the run.
        speed: of the device; None if it could not be measured.
        started: when the run's turn came, in unix seconds: a time budget counts from there.
        notice: receives messages for the user.
        clock: returns unix seconds.

    Raises:
        UserError: the deadline is over, or leaves no time for one epoch of each stage.
    """
    training = trainer.spec.training
    at = training.deadline
    if at is None and training.time_budget is not None:
        at = math.ceil(started + parse_budget(training.time_budget))
    if at is None:
        return
    now = clock()
    check_deadline(at, now)
    spec = trainer.spec.model_copy(
        update={"training": training.model_copy(update={"deadline": at})}
    )
    plan = None if speed is None else _plan_time(trainer, spec, speed)
    if not trainer.checkpoints.has_begun:
        if plan is None:
            notice(
                tr(
                    "The epochs could not be fitted to the deadline, {at}; training ends early "
                    "if time runs short.",
                    at=format_moment(at, now),
                )
            )
        else:
            spec = _fit(plan, at, now, notice)
    if spec != trainer.spec:
        write_atomic(folder.spec_path, dump_spec(spec))
        trainer.spec = spec
    reserve = MARGIN * END_SECONDS if plan is None else plan.reserve
    trainer.deadline = Deadline(at, reserve, clock)


def _plan_time(trainer: "Trainer", spec: ExperimentSpec, speed: ThroughputModel) -> PlanTime:
    from workbench.training.trainer import features_of_stage

    images = {split: len(rows) for split, rows in trainer.data.rows.items()}
    missing = {
        stage.index: found.count_missing()
        for stage in plan_stages(spec)
        if (found := features_of_stage(trainer, stage))
    }
    return PlanTime(spec, images, trainer.data.classes, speed, missing)


def _fit(plan: PlanTime, at: float, now: float, notice: "Callable[[str], None]") -> ExperimentSpec:
    """Return the spec with as many epochs as there is time for.

    Raises:
        UserError: not even one epoch of each stage fits.
    """
    left, until = at - now, format_moment(at, now)
    fitted = plan.fit(left)
    if fitted is None:
        raise UserError(
            tr(
                "Until {until} there is too little time: {left} are left, and one epoch, with "
                "what comes before and after it, takes about {needed}.",
                until=until,
                left=format_seconds(left),
                needed=format_seconds(plan.shortest.needed),
            ),
            tr(
                "Give more time with --by, or train less: smaller images, a smaller network, or "
                "shorter epochs with --set training.steps_per_epoch=N."
            ),
        )
    if fitted != plan.spec:
        notice(
            tr(
                "Fitted to the deadline, {until}: {change}.",
                until=until,
                change=plan.describe_fit(fitted, left),
            )
        )
    return fitted
