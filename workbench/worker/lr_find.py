"""The job `find-rate`: losses of a stage whose learning rate rises.

Request: spec, workspace, scratch (see `worker.bench`), stage, steps. Events: progress, and notices.
"""

from collections.abc import Callable
from typing import Any

from workbench.experiment.lr_find import range_stage
from workbench.progress import Progress
from workbench.worker.training_setup import make_bench

Send = Callable[[dict[str, Any]], None]


def find_rate(request: dict[str, Any], send: Send, progress: Progress) -> dict[str, Any]:
    """Trains with rising rates. Result: losses, one a step until the loss blows up.

    Raises:
        UserError: as `make_bench`.
    """

    def note(message: str) -> None:
        send({"event": "notice", "message": message})

    def tell(kind: str, /, **fields: Any) -> None:
        if kind == "progress":
            progress("train", fields["step"], fields["steps"])
        elif kind == "notice":
            note(fields["message"])

    bench = make_bench(request, progress, note)
    from workbench.training.lr_find import RangeTest

    stage = range_stage(bench.spec, request["stage"], request["steps"])
    engine = bench.engine(bench.spec, bench.scratch / "checkpoints", tell)
    return {"losses": RangeTest(engine, stage).measure()}
