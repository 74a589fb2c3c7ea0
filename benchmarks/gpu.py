"""Is the GPU busy? Our steps beside a bare compiled step of the same network, on a real GPU.

    python benchmarks/gpu.py [--backend tensorflow|jax] [--again] [--device cpu] [--images 2000]

or `make gpu`. Each case is a process of its own, the table is written after each, and a case that
is measured already is left out unless --again is given: a session that ends early loses no more
than a case. What cannot run here is named with its reason. It takes less than six minutes.

Both ways train on made-up images that lie on the device. The bare way is what a person would write
by hand: one jitted step, called in a Python loop, without loss values read, progress or stops. The
share of time that the GPU waited for us is 1 - bare / ours. With --device cpu and few --images the
script itself can be tried on any machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from results import RESULTS, save_result
from side_by_side import in_turns, markdown

BATCH = 32
ROUNDS = 3
CASE_SECONDS = 100  # a case that takes longer has hung
CASES = {  # the base, side of the images, settings of the spec
    "head on cached features": ("mobilenetv2-0.35", 160, {}),
    "block5 of VGG16": ("vgg16", 150, {"trainable": ["block5"]}),
    "whole convnet, augmented": (None, 150, {}),
    "MobileNetV2 0.35, whole": ("mobilenetv2-0.35", 160, {"trainable": ["block_1"]}),
    "feature pass of VGG16": ("vgg16", 150, {}),
}
PRECISIONS = ("float32", "mixed_float16")
OTHERS = ("exact resume", "workbench check", "check: hidden GPU", "check: LD_LIBRARY_PATH",
          "check: memory taken")  # fmt: skip
Way = Callable[[], float]


# --- the process of a case --------------------------------------------------------------------


def measure(case: str, precision: str, images: int, device: str) -> dict[str, Any]:
    """Return images a second of the bare way and of ours."""
    from workbench.worker.startup import claim_device, start_keras

    claim_device("none" if device == "cpu" else "auto")
    found = start_keras()
    if found.kind != device:
        return {"skipped": f"training would use {found.name}"}
    import keras

    keras.config.set_dtype_policy(precision)
    with tempfile.TemporaryDirectory() as scratch:
        if case == "exact resume":
            return {"note": exact_resume(Path(scratch), found, images)}
        make = feature_pass if case.startswith("feature pass") else training
        ways = make(case, precision, images, found, Path(scratch))
        for way in ways.values():
            for _ in range(3):  # compiles, and the trainer learns how long its calls may be
                way()
        took = in_turns(ways, ROUNDS)
    return {"bare": images / took["bare"], "ours": images / took["ours"]}


def training(case: str, precision: str, images: int, device: Any, folder: Path) -> dict[str, Way]:
    """Return both ways to train an epoch, in seconds."""
    from workbench.runs.fields import Position

    trainer = stage_trainer(case, precision, images, device, folder)
    count = len(trainer.data.rows["train"])
    if trainer.stage.cached:
        x = np.load(next(folder.glob(f"*-{count}.npy")))
    else:
        x = trainer.data.images
    position = Position(trainer.stage.index, 1)
    bare = bare_steps(trainer.model, x, trainer.data.targets(np.arange(count)))
    return {"bare": bare, "ours": lambda: _seconds(lambda: trainer.train_steps(position))}


def stage_trainer(case: str, precision: str, images: int, device: Any, folder: Path) -> Any:
    """Return the trainer of a case's last stage, compiled, its features at hand."""
    import ours

    from workbench.experiment.plan import plan_stages
    from workbench.experiment.toml import parse_spec
    from workbench.training.checkpoint import CheckpointFolder
    from workbench.training.models import build_model
    from workbench.training.stage_trainer import StageTrainer
    from workbench.training.trainer import Trainer

    base, side, settings = CASES[case]
    tree: dict[str, Any] = {
        "data": {"source": "x", "image_size": [side, side]},
        "model": {"strategy": "feature-extraction"},
        "training": {
            "batch_size": BATCH, "epochs": 1000, "learning_rate": 1e-5, "precision": precision,
            "augment_on": "device",
        },
    }  # fmt: skip
    if base:
        tree["base"] = {"name": base, "weights": "random", **settings}
    else:
        tree["model"] = {"strategy": "convnet", "filters": [32, 64, 128, 128]}
        tree["augmentation"] = {"rotation": 40.0, "zoom": 0.2, "horizontal_flip": True}
    if settings:
        tree["model"]["strategy"] = "fine-tuning"
        tree["training"]["head_epochs"] = 1
    spec = parse_spec(tree, case)
    stage = plan_stages(spec)[-1]
    made_up = (1, 1, 3) if stage.cached else (side, side, 3)
    pixels = np.random.default_rng(1).integers(0, 256, (images, *made_up), np.uint8)
    store = ours.MadeUpFeatures(folder, {}, "float32", lambda *p: None, lambda note: None)
    context = Trainer(
        spec, build_model(spec, 2), ours.halves(pixels, images), device, CheckpointFolder(folder),
        lambda event: None, lambda: False, store,
    )  # fmt: skip
    trainer = StageTrainer(context, stage)
    trainer.compile()
    trainer.inputs.prepare(1, whole=False)
    return trainer


def bare_steps(model: Any, x: np.ndarray, y: np.ndarray) -> Way:
    """Return an epoch of bare steps on arrays that lie on the device."""
    import keras

    order = np.random.default_rng(1).permutation(len(x)).astype(np.int32)
    batches = [order[at : at + BATCH] for at in range(0, len(order) - BATCH + 1, BATCH)]
    copy = keras.models.clone_model(model)
    copy.compile(type(model.optimizer)(1e-5), model.loss, jit_compile=model.jit_compile)
    copy.optimizer.build(copy.trainable_variables)
    if keras.backend.backend() == "jax":
        return _bare_jax(copy, x, y, batches)
    return _bare_tensorflow(copy, x, y, batches)


def _bare_tensorflow(model: Any, x: np.ndarray, y: np.ndarray, batches: list[Any]) -> Way:
    import tensorflow as tf

    x, y, variables = tf.constant(x), tf.constant(y), model.trainable_variables
    optimizer = model.optimizer

    @tf.function(jit_compile=model.jit_compile)
    def step(rows: Any) -> Any:
        with tf.GradientTape() as tape:
            predicted = model(tf.gather(x, rows), training=True)
            loss = model.loss(tf.gather(y, rows), predicted)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, variables), variables)
        return loss

    def epoch() -> float:
        started = time.perf_counter()
        for rows in batches:
            loss = step(tf.constant(rows))
        loss.numpy()
        return time.perf_counter() - started

    return epoch


def _bare_jax(model: Any, x: np.ndarray, y: np.ndarray, batches: list[Any]) -> Way:
    import jax
    import keras

    x, y, optimizer = jax.numpy.asarray(x), jax.numpy.asarray(y), model.optimizer
    trained, fixed = model.trainable_variables, model.non_trainable_variables

    def loss_of(values: Any, others: Any, state: Any, rows: Any, x: Any, y: Any) -> Any:
        mapping = zip(
            [*trained, *fixed, *optimizer.variables], [*values, *others, *state], strict=True
        )
        with keras.StatelessScope(list(mapping)) as scope:
            loss = model.loss(y[rows], model(x[rows], training=True))
            return optimizer.scale_loss(loss), [scope.get_current_value(v) for v in fixed]

    @jax.jit
    def step(values: Any, others: Any, state: Any, rows: Any, x: Any, y: Any) -> Any:
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            values, others, state, rows, x, y
        )
        values, state = optimizer.stateless_apply(state, gradients, values)
        return values, others, state, loss

    held = [[v.value for v in group] for group in (trained, fixed, optimizer.variables)]

    def epoch() -> float:
        started = time.perf_counter()
        for rows in batches:
            *held[:], loss = step(*held, rows, x, y)
        jax.block_until_ready(loss)
        return time.perf_counter() - started

    return epoch


def feature_pass(
    case: str, precision: str, images: int, device: Any, folder: Path
) -> dict[str, Way]:
    """Return both ways to run a base over images of the host and bring its features back."""
    import keras

    from workbench.experiment.toml import parse_spec
    from workbench.training.feature_file import CHUNK
    from workbench.training.models import build_model
    from workbench.training.prefix import Prefix

    base, side, _ = CASES[case]
    tree = {
        "data": {"source": "x", "image_size": [side, side]},
        "base": {"name": base, "weights": "random"},
        "model": {"strategy": "feature-extraction"},
    }
    spec = parse_spec(tree, case)
    prefix = Prefix(build_model(spec, 2), spec.base_table.layers[-1].name, device.kind == "cpu")
    pixels = np.random.default_rng(1).integers(0, 256, (images, side, side, 3), np.uint8)
    network = prefix.network

    def bare() -> float:
        started = time.perf_counter()
        for at in range(0, images - CHUNK + 1, CHUNK):
            keras.ops.convert_to_numpy(network.predict_on_batch(pixels[at : at + CHUNK]))
        return time.perf_counter() - started

    return {"bare": bare, "ours": lambda: _seconds(lambda: prefix(pixels))}


def exact_resume(folder: Path, device: Any, images: int) -> str:
    """Train twice, once with a stop in between; compare the weights."""
    import keras
    import ours

    from workbench.experiment.plan import plan_stages
    from workbench.experiment.toml import parse_spec
    from workbench.training.checkpoint import CheckpointFolder
    from workbench.training.models import build_model
    from workbench.training.trainer import Trainer
    from workbench.training.trainer_state import Stopped

    tree = {
        "data": {"source": "x", "image_size": [32, 32]},
        "augmentation": {"rotation": 40.0, "horizontal_flip": True},
        "model": {"strategy": "convnet", "filters": [16, 32], "dense_units": [64], "dropout": 0.5},
        "training": {"batch_size": BATCH, "epochs": 3, "learning_rate": 1e-3},
    }
    spec = parse_spec(tree, "resume")
    pixels = np.random.default_rng(1).integers(0, 256, (images, 32, 32, 3), np.uint8)
    data = ours.halves(pixels, images * 3 // 4)

    def train(name: str, stop_at: int) -> list[np.ndarray]:
        files, checks = CheckpointFolder(folder / name), iter(range(1, 10**9))
        for at in (stop_at, 0):
            keras.utils.clear_session()
            trainer = Trainer(
                spec, build_model(spec, 2), data, device, files, lambda event: None,
                lambda at=at: next(checks) == at,
            )  # fmt: skip
            try:
                trainer.run(plan_stages(spec), files.load_last()[0])
                break
            except Stopped:
                continue
        weights: list[np.ndarray] = trainer.model.get_weights()
        return weights

    whole, again, parts = train("whole", 0), train("again", 0), train("parts", 4)
    return f"two runs alike: {_difference(whole, again)}; stopped and resumed: " + _difference(
        whole, parts
    )


def _difference(one: list[np.ndarray], other: list[np.ndarray]) -> str:
    largest = max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
    return "to the bit" if largest == 0 else f"weights differ by up to {largest:.2g}"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# --- findings of the check --------------------------------------------------------------------


def check(case: str, backend: str) -> dict[str, Any]:
    """Run `workbench check` under a condition; return its seconds and its findings' ids."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    holder = None
    if case.endswith("hidden GPU"):
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
    elif case.endswith("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = "/nowhere"
    elif case.endswith("memory taken"):
        holder = _hold_memory(environment)
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "workbench", "check", "--json"],
            capture_output=True, text=True, env=environment, timeout=CASE_SECONDS,
        )  # fmt: skip
    finally:
        if holder:
            holder.kill()
    seconds = time.perf_counter() - started
    try:
        findings = [finding["id"] for finding in json.loads(done.stdout)["findings"]]
    except (ValueError, KeyError):
        return {"skipped": f"no report, exit code {done.returncode}: {done.stderr[-200:]}"}
    return {"note": f"{seconds:.1f} s: {', '.join(findings) or 'no finding'}"}


def _hold_memory(environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a process that holds most of the GPU's memory; return once it does."""
    code = (
        "import keras, time; x = keras.ops.zeros((1 << 30,), 'float32') + 1;"
        "print(float(x[0]), flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    return holder


# --- all cases --------------------------------------------------------------------------------


def cases() -> list[tuple[str, str]]:
    """Return every case with its precision, in the order in which they matter."""
    measured = [(case, precision) for precision in PRECISIONS for case in CASES]
    return [*measured, *((case, "float32") for case in OTHERS)]


def table(found: dict[str, Any]) -> str:
    """Format what was measured so far."""
    rows, notes = [], []
    for case, precision in cases():
        result = found.get(f"{case}, {precision}")
        if result is None:
            continue
        if "ours" in result:
            ratio = result["ours"] / result["bare"]
            waited = f"{max(1 - ratio, 0):.0%}"
            speeds = f"{result['bare']:,.0f}", f"{result['ours']:,.0f}"
            rows.append((case, precision, *speeds, f"{ratio:.2f}", waited))
        else:
            name = case if case in OTHERS else f"{case}, {precision}"
            notes.append(f"{name}: {result.get('note') or 'not measured: ' + result['skipped']}")
    titles = ("", "precision", "bare step", "workbench", "ratio", "GPU waited")
    return "\n\n".join(["Images a second.", markdown(titles, rows), *notes])


def run_case(case: str, precision: str, given: argparse.Namespace) -> dict[str, Any]:
    """Run a case in a process of its own, which may crash or hang."""
    if case.startswith(("workbench check", "check:")):
        return check(case, given.backend)
    command = [sys.executable, __file__, "--case", case, "--precision", precision]
    command += ["--device", given.device, "--images", str(given.images)]
    environment = {**os.environ, "KERAS_BACKEND": given.backend}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=CASE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"it took more than {CASE_SECONDS} s"}
    try:
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"skipped": f"exit code {done.returncode}: {last[:200]}"}
    return result


def main() -> None:
    """Measure every case that is not measured yet; write the table after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--again", action="store_true", help="measure what is measured already")
    parser.add_argument("--case", choices=(*CASES, *OTHERS), help=argparse.SUPPRESS)
    parser.add_argument("--precision", choices=PRECISIONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(given.case, given.precision, given.images, given.device)))
        return
    name = f"gpu-{given.backend}" if given.device == "gpu" else f"cpu-{given.backend}"
    kept = Path(os.environ.get("WORKBENCH_RESULTS", RESULTS.parent), f"{name}.json")
    found = json.loads(kept.read_text()) if kept.exists() and not given.again else {}
    for case, precision in cases():
        key = f"{case}, {precision}"
        if key in found and "skipped" not in found[key]:
            continue
        found[key] = run_case(case, precision, given)
        print(f"{key}: {found[key]}", flush=True)
        kept.write_text(json.dumps(found, indent=1) + "\n")
        if given.device == "gpu":
            save_result(name, table(found))
    print(table(found))


if __name__ == "__main__":
    main()
