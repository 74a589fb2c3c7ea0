"""On with a run: one key, and a question only where a person has to decide something."""

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from workbench.runs.launch import launch
from workbench.runs.outcome import half_batch, lower_rate
from workbench.runs.watch import RunView
from workbench.ui.background import in_background
from workbench.ui.dialogs import Ask, Choose, Confirm


def resume_run(screen: Screen[Any], view: RunView, then: Callable[[object], None]) -> None:
    """Goes on with a run at its last checkpoint.

    Asks first where its worker may live on another machine, and after a failure that would come
    again: with half the batch, with a lower learning rate?

    Args:
        then: called once there is a worker.
    """
    state, failure = view.summary.state, view.history.failure
    smaller, lower = half_batch(view.spec), lower_rate(view.spec, view.history)

    def go_on(settings: tuple[str, ...] = (), half: bool = False) -> None:
        in_background(screen, lambda: _resume(view, settings, half), then)

    def ended(yes: bool | None) -> None:
        if yes:
            go_on()

    def batch_chosen(answer: str | None) -> None:
        if answer is not None:
            go_on(half=answer == "h")

    def rate_typed(answer: str | None) -> None:
        if answer is not None and lower:
            go_on((f"{lower[0]}={answer}",))

    if state.elsewhere:
        question = (
            f"{view.name} was last at work {state.told}. No lock tells here whether it has ended, "
            "and two workers would damage it. Has it ended?"
        )
        screen.app.push_screen(Confirm(question, "It has"), ended)
    elif failure == "memory" and smaller:
        answers = {"h": f"Half, {smaller}", "a": "As it is"}
        question = (
            f"{view.name} ran out of memory. Go on with half the batch, {smaller}, or with the "
            "batch as it is?"
        )
        screen.app.push_screen(Choose(question, answers), batch_chosen)
    elif failure == "diverged" and lower:
        key, rate = lower
        question = f"{view.name} has diverged. Go on with which {key}?"
        screen.app.push_screen(Ask(question, f"{rate:g}"), rate_typed)
    else:
        go_on()


def _resume(view: RunView, settings: tuple[str, ...], half: bool) -> None:
    """In a thread: reads and writes files, and asks the driver."""
    from workbench.experiment.toml import dump_spec, read_spec
    from workbench.machine.preflight import look_before_resume
    from workbench.runs.changes import changed_spec

    own = read_spec(view.folder.spec_path)
    spec = changed_spec(own, settings, half) if settings or half else own
    look_before_resume(spec)
    launch(view.folder, resume=True, spec=None if spec == own else dump_spec(spec))
