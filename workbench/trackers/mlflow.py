"""MLflow: a run of an experiment, in a server, a database or a folder."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from workbench.runs.watch import RUNNING
from workbench.trackers.tracker import Destination
from workbench.trackers.update import Point, Update, value_text

_MAX_METRICS, _MAX_PARAMS = 1000, 100  # in one request
_STATES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "pruned": "KILLED"}
Item = TypeVar("Item")


class MlflowTracker:
    """Writes a run of MLflow; see `tracker.Tracker`."""

    def __init__(self, run: str, destination: Destination) -> None:
        self.run = run
        self.destination = destination
        self.client = MlflowClient(tracking_uri=destination.place)
        self.own: dict[str, Any] = {}
        # Of a run that is continued: step and time of each metric that is there already. What a
        # mirror that was killed had sent and not noted is not sent twice.
        self._known: dict[str, set[tuple[int, int]]] | None = None

    @property
    def place(self) -> str:
        """The store."""
        return self.destination.place

    def open(self, own: Mapping[str, Any]) -> bool:
        """Continue a run, or make one."""
        if identifier := own.get("run_id"):
            try:
                found = self.client.get_run(identifier)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
            else:
                if found.info.lifecycle_stage == "active":
                    self.own, self._known = dict(own), {}
                    return True
        made = self.client.create_run(self._experiment(), run_name=self.run)
        self.own = {"run_id": made.info.run_id}
        return False

    def send(self, update: Update, artifacts: Mapping[str, Path]) -> None:
        """Send parameters, tags, metrics, files, and last the state."""
        identifier = self.own["run_id"]
        points = (*update.epochs, *filter(None, (update.step, update.test)))
        tags = [RunTag(f"workbench.{name}", text) for name, text in update.tags.items()]
        sent = self.own.get("params", [])
        # MLflow keeps the first value of a parameter; another one is a tag.
        params = [Param(k, value_text(v)) for k, v in update.params.items() if k not in sent]
        tags += [
            RunTag(f"workbench.changed.{k}", value_text(v))
            for k, v in update.params.items()
            if k in sent
        ]
        for some in _batches(params, _MAX_PARAMS):
            self.client.log_batch(identifier, params=some)
        for some_tags in _batches(tags, _MAX_PARAMS):
            self.client.log_batch(identifier, tags=some_tags)
        for metrics in _batches(list(self._metrics(points)), _MAX_METRICS):
            self.client.log_batch(identifier, metrics=metrics)
        for path in artifacts.values():
            self.client.log_artifact(identifier, str(path))
        if update.state in RUNNING:
            self.client.update_run(identifier, status="RUNNING")
        else:
            self.client.set_terminated(identifier, _STATES.get(update.state, "KILLED"))
        self.own["params"] = [*sent, *(one.key for one in params)]

    def close(self) -> None:
        """Nothing waits."""

    def _metrics(self, points: Sequence[Point]) -> Iterator[Metric]:
        known: dict[str, set[tuple[int, int]]] = defaultdict(set)
        if self._known is not None:  # the first after an interruption
            for name in {name for point in points for name in point.values}:
                history = self.client.get_metric_history(self.own["run_id"], name)
                known[name] = {(one.step, one.timestamp) for one in history}
            self._known = None
        for point in points:
            moment = round(point.time * 1000)
            for name, value in point.values.items():
                if (point.step, moment) not in known[name]:
                    yield Metric(name, value, moment, point.step)

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.destination.project)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(self.destination.project))


def _batches(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    for begin in range(0, len(items), most):
        yield items[begin : begin + most]
