"""A machine that was measured, so that no run of a test has to."""

from workbench.experiment.throughput import ThroughputModel
from workbench.machine.benchmark_store import BenchmarkResult, BenchmarkStore
from workbench.machine.gpus import CPU

# In round numbers.
USUAL = ThroughputModel(
    forward_flops=1e11,
    training_flops=1e11,
    forward_bytes=1e10,
    training_bytes=1e10,
    forward_step=1e-3,
    training_step=1e-3,
    update=1e-9,
)


def store_speed(device: str, speed: ThroughputModel = USUAL) -> None:
    """Store the benchmark of a processor under the name of a device."""
    result = BenchmarkResult(device=CPU, kind="cpu", precision="float32", jit=False, speed=speed)
    BenchmarkStore(device).save(result)
