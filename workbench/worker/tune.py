"""The job `search`: trials of a random search over heads.

Request: spec, workspace, scratch (see `worker.bench`), trials, seed. Events: progress, notices, and
a `trial` for each that is done: images (validated on), and the fields of a `Trial`.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from workbench.errors import UserError
from workbench.experiment.search_space import candidates
from workbench.progress import Progress
from workbench.worker.training_setup import make_bench

Send = Callable[[dict[str, Any]], None]


def search(request: dict[str, Any], send: Send, progress: Progress) -> dict[str, Any]:
    """Trains the candidates one after the other. The result is empty: all of it is events.

    Raises:
        UserError: as `make_bench`; or there are no images to validate on.
    """

    def note(message: str) -> None:
        send({"event": "notice", "message": message})

    bench = make_bench(request, progress, note)
    images = len(bench.data.rows["validation"])
    if not images:
        raise UserError("A search is judged by validation images, and there are none.")
    from workbench.training.tune import run_trials

    tried = candidates(bench.spec, request["trials"], request["seed"])
    for trial in run_trials(bench.spec, tried, bench.engine, bench.scratch):
        send({"event": "trial", "images": images, **asdict(trial)})
        progress("trials", trial.number, len(tried))
    return {}
