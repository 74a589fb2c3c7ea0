"""The jobs `lr-find` and `tune`: short trainings that look for settings.

Request: spec, workspace, scratch (see `training_setup`), and for `lr-find` stage and steps, for
`tune` trials and seed. Events: progress, notices, and from `tune` a `trial` for each that is
finished: images (validated on), and the fields of a `Trial`.
"""

from dataclasses import asdict
from typing import Any

from workbench.errors import UserError
from workbench.experiment.lr_find import lr_find_stage
from workbench.experiment.search_space import draw_candidates
from workbench.runs.events import Event, Notice, Progress
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.training_setup import make_training_setup


def tune(request: Request, events: JobEvents) -> dict[str, Any]:
    """Train the candidates one after the other; the result is empty, the trials are events.

    Raises:
        UserError: As `make_training_setup`; or there are no images to validate on.
    """
    setup, scratch = make_training_setup(request, events)
    images = len(setup.data.rows["validation"])
    if not images:
        raise UserError("A search compares validation metrics, and there are no such images.")
    from workbench.training.tune import run_trials

    tried = draw_candidates(setup.spec, request["trials"], request["seed"])
    for trial in run_trials(setup.spec, tried, setup.make_trainer, scratch):
        events.send("trial", images=images, **asdict(trial))
        events("trials", trial.number, len(tried))
    return {}


def find_learning_rate(request: Request, events: JobEvents) -> dict[str, Any]:
    """Train with rising rates.

    Result: losses, one a step until the loss diverges.

    Raises:
        UserError: As `make_training_setup`.
    """

    def emit(event: Event) -> None:
        match event:
            case Progress():
                events("train", event.step, event.steps)
            case Notice():
                events.notice(event.message)

    setup, scratch = make_training_setup(request, events)
    from workbench.training.tune import RangeTest

    stage = lr_find_stage(setup.spec, request["stage"], request["steps"])
    trainer = setup.make_trainer(setup.spec, scratch / "checkpoints", emit)
    return {"losses": RangeTest(trainer, stage).measure()}
