"""The time of a ladder, divided among its strategies."""

import pytest

from workbench.app.ladder import specs_by
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import parse_spec
from workbench.machine.benchmark_store import BenchmarkResult

FACTS = DataFacts((28, 28), True, 1, 10, 1797, 174, user_split=False)
SPEED = ThroughputModel(
    forward_flops=1e9, training_flops=5e8, forward_bytes=1e8, training_bytes=5e7,
    forward_step=0.001, training_step=0.002, update=1e-8,
)  # fmt: skip
BENCHMARK = BenchmarkResult(device="CPU", kind="cpu", precision="float32", jit=False, speed=SPEED)
NOW, HOUR = 1_772_445_600.0, 3600  # 2026-03-02 10:00 UTC


def specs(*presets: str) -> list[tuple[str, ExperimentSpec]]:
    return [(name, parse_spec(preset_tree(name, "photos", FACTS), name)) for name in presets]


def test_each_strategy_gets_a_deadline_after_the_one_before() -> None:
    given = specs("dense", "convnet", "convnet-augmented")
    timed = specs_by(given, FACTS, BENCHMARK, int(NOW) + HOUR, NOW)
    ends = [spec.training.deadline or 0 for _, spec in timed]
    assert ends == sorted(set(ends))
    assert ends[-1] == NOW + HOUR
    shares = [end - start for start, end in zip([NOW, *ends], ends, strict=False)]
    assert shares[0] < shares[1] < shares[2]  # as their costs are
    assert [spec.training.epochs for _, spec in timed] == [s.training.epochs for _, s in given]


def test_too_little_time_for_all_of_them(frozen_clock: float) -> None:
    with pytest.raises(UserError) as caught:
        specs_by(specs("dense", "convnet"), FACTS, BENCHMARK, int(frozen_clock) + 60, frozen_clock)
    assert caught.value.message == (
        "Until 10:01 there is too little time for 2 strategies, even with one epoch each."
    )
    assert "--presets" in caught.value.hint


def test_a_machine_that_was_not_measured() -> None:
    with pytest.raises(UserError, match="the speed of this machine is needed") as caught:
        specs_by(specs("dense"), FACTS, None, int(NOW) + HOUR, NOW)
    assert caught.value.hint == "Measure it once: workbench check"
