"""What samples of the machine cost a training: CPU time of a sample beside that of a step.

    python benchmarks/sampling.py [--samples 500]

A sample is taken every few seconds, so its share of a step is its own CPU time spread over them.
The step is one of the book's convnet for MNIST, the quickest of the chapter's networks.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from workbench.machine.driver import query_nvml
from workbench.machine.gpus import choose_gpu
from workbench.machine.live import SECONDS, GpuGauge, Sampler
from workbench.worker.startup import prepare_environment

prepare_environment()

from workbench.experiment.facts import DataFacts  # noqa: E402
from workbench.experiment.presets import preset_tree  # noqa: E402
from workbench.experiment.toml import parse_spec  # noqa: E402
from workbench.training.models import accuracy_for, build_model, loss_for  # noqa: E402

FACTS = DataFacts((28, 28), True, 1, 10, 70_000, 6_313, user_split=True)
STEPS = 100


def step_seconds() -> float:
    """Return the CPU seconds of a training step."""
    spec = parse_spec(preset_tree("book-mnist", "none", FACTS), "book-mnist")
    model = build_model(spec, classes=10)
    model.compile("rmsprop", loss_for(10), metrics=[accuracy_for(10)], jit_compile=False)
    rng = np.random.default_rng(1)
    images = rng.random((64, 28, 28, 1), dtype=np.float32) * 255
    labels = rng.integers(0, 10, 64)
    model.train_on_batch(images, labels)
    started = time.process_time()
    for _ in range(STEPS):
        model.train_on_batch(images, labels)
    return (time.process_time() - started) / STEPS


def seconds_per_sample(folder: Path, gpu: GpuGauge | None, samples: int) -> float:
    """Return the CPU seconds of one sample, the mean of many."""
    sampler = Sampler(lambda sample: None, folder, gpu)
    started = time.process_time()
    for _ in range(samples):
        sampler.sample()
    return (time.process_time() - started) / samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=500)
    given = parser.parse_args()
    uuid = choose_gpu("auto", query_nvml().nvml).uuid
    sample = seconds_per_sample(Path.cwd(), GpuGauge(uuid) if uuid else None, given.samples)
    step = step_seconds()
    gpu = "GPU" if uuid else "no GPU"
    print(f"a sample: {sample * 1e3:.3f} ms of CPU every {SECONDS:g} s ({gpu})")
    print(f"a step: {step * 1e3:.2f} ms of CPU")
    print(f"share of the time: {sample / SECONDS:.4%}")


if __name__ == "__main__":
    main()
