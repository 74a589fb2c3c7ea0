"""The job `lr-find`: losses of a stage while its learning rate rises.

Request: spec, workspace, scratch (see `training_setup`), stage, steps. Events: progress, notices.
"""

from typing import Any

from workbench.experiment.lr_find import lr_find_stage
from workbench.runs.events import Event, Notice, Progress
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.training_setup import make_training_setup


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
