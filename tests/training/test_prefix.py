"""An image's features have the same bits at any place in a batch, beside any other images."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import keras
import numpy as np
import pytest
from everything import with_all
from keras import layers
from tiny_runs import SIDE, base_spec, lively_model

from workbench.training.feature_file import CHUNK, WHOLE, Shard
from workbench.training.features import FeatureStore
from workbench.training.prefix import Prefix, places_matter
from workbench.training.stage_inputs import extract_in_chunks

COUNT = CHUNK + 8  # more than one call holds
IMAGES = np.random.default_rng(7).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
# TensorFlow does not use oneDNN on a processor with AVX2 and nothing newer. The other code that
# multiplies matrices there obeys the second variable, which has less effect without the first.
PROCESSORS = {
    "AVX2": {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "SSE41": {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}


def store(folder: Path, shard: Shard = WHOLE) -> FeatureStore:
    return FeatureStore(folder, {}, "float32", lambda *done: None, lambda note: None, shard)


@pytest.fixture(scope="module")
def short() -> Prefix:
    return Prefix(lively_model(base_spec()), "average")


@pytest.fixture(scope="module", params=["mobilenetv2-0.35", "vgg16"])
def prefix(request: pytest.FixtureRequest) -> Prefix:
    spec = base_spec(f"base.name={request.param}")
    return Prefix(lively_model(spec), spec.base_table.layers[-1].name)


def test_an_image_has_the_same_bits_at_any_place_and_in_any_number(prefix: Prefix) -> None:
    expected = prefix(IMAGES)
    assert expected.shape == (COUNT, *prefix.shape)
    assert expected.dtype == np.float32
    assert not np.array_equal(expected[0], expected[1])
    for count in (1, 2, 3, 5, 8, 16, CHUNK - 1, CHUNK, CHUNK + 1):
        assert np.array_equal(prefix(IMAGES[:count]), expected[:count]), count
    # A small batch is filled up to a whole one and takes as long: of those of two, each fifth.
    for sizes, seed in (((2, 8, CHUNK, COUNT), 0), ((CHUNK, COUNT), 1), ((CHUNK, COUNT), 2)):
        order = np.random.default_rng(seed).permutation(COUNT)
        for size in sizes:
            for at in range(0, COUNT, 5 * size if size == 2 else size):
                some = order[at : at + size]
                assert np.array_equal(prefix(IMAGES[some]), expected[some]), (seed, size, at)


class OneAtATime:
    """A prefix for several threads."""

    def __init__(self, prefix: Prefix) -> None:
        self.cut, self.shape, self.identity = prefix.cut, prefix.shape, prefix.identity
        self._prefix, self._mutex = prefix, Lock()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with self._mutex:
            return self._prefix(images)


@pytest.mark.parametrize("shards", [(WHOLE, WHOLE), (Shard(1, 2), Shard(2, 2))])
def test_two_passes_at_once_have_the_bits_of_one(
    tmp_path: Path, short: Prefix, shards: tuple[Shard, ...]
) -> None:
    """Both take from all chunks, or each has its half; one computes at a time, as JAX needs it."""
    rows = np.random.default_rng(2).permutation(COUNT)
    expected = short(IMAGES[rows])

    one_at_a_time = OneAtATime(short)

    def compute(shard: Shard) -> None:
        store(tmp_path, shard).compute(one_at_a_time, IMAGES, rows)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(compute, shards))
    found = store(tmp_path).features(short, IMAGES[:0], rows)  # none is computed
    assert found.tobytes() == expected.tobytes()


def test_bytes_and_the_same_numbers_as_floats_give_the_same_bits(prefix: Prefix) -> None:
    assert np.array_equal(prefix(IMAGES[:3]), prefix(IMAGES[:3].astype(np.float32)))


def test_features_agree_with_the_network(prefix: Prefix) -> None:
    plain = prefix.network.predict_on_batch(IMAGES[:8])
    assert prefix(IMAGES[:8]) == pytest.approx(plain, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("processor", ["SSE41", pytest.param("AVX2", marks=with_all)])
def test_other_processors_give_the_same_bits(processor: str) -> None:
    """In its own process, since the instruction set is queried once.

    VGG16 takes a minute without AVX, so there one network has to do.
    """
    networks = {"SSE41": "mobilenetv2"}.get(processor, "")
    test = f"{__file__}::{test_an_image_has_the_same_bits_at_any_place_and_in_any_number.__name__}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qp", "no:cacheprovider", test, "-k", networks],
        env={**os.environ, **PROCESSORS[processor]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert ("1 passed" if networks else "2 passed") in done.stdout


class Counted(layers.Layer):
    """Passes images through and notes the shape of each batch that is traced or run."""

    def __init__(self) -> None:
        super().__init__(name="cut")
        self.shapes: list[tuple[int | None, ...]] = []

    def call(self, images: object) -> object:
        self.shapes.append(tuple(images.shape))  # type: ignore[attr-defined]
        return images


@pytest.mark.parametrize("on_cpu", [True, False], ids=["cpu", "gpu"])
def test_the_network_sees_batches_of_one_shape(on_cpu: bool) -> None:
    assert shapes_seen(on_cpu) == {(CHUNK, 4, 4, 3)}


def test_where_places_matter_each_image_is_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.training.prefix.places_matter", lambda network: True)
    assert shapes_seen(on_cpu=True) == {(1, 4, 4, 3)}
    assert shapes_seen(on_cpu=False) == {(CHUNK, 4, 4, 3)}


def shapes_seen(on_cpu: bool) -> set[tuple[int | None, ...]]:
    """Return the batch shapes of a network when features of one and of many images are computed."""
    counted = Counted()
    inputs = keras.Input((4, 4, 3))
    prefix = Prefix(keras.Model(inputs, counted(inputs)), "cut", on_cpu)
    counted.shapes.clear()
    images = IMAGES[:, :4, :4]
    for count in (1, CHUNK - 1, CHUNK, COUNT):
        assert np.array_equal(prefix(images[:count]), images[:count].astype(np.float32))
    return set(counted.shapes)


class Placed(layers.Layer):
    """Adds a little to images after place `last` of a batch."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def call(self, images: Any) -> Any:
        places = keras.ops.arange(keras.ops.shape(images)[0], dtype="float32")
        added = 1e-3 * keras.ops.maximum(places - self.last, 0)
        return images + keras.ops.reshape(added, (-1, 1, 1, 1))


@pytest.mark.parametrize(("last", "matter"), [(CHUNK - 2, True), (CHUNK - 1, False)])
def test_a_place_that_matters_is_found(last: int, matter: bool) -> None:
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, Placed(last)(inputs))
    assert places_matter(network) is matter


def test_features_of_cpu_and_gpu_have_different_identities() -> None:
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.Flatten(name="cut")(inputs))
    assert Prefix(model, "cut").identity == ""
    assert Prefix(model, "cut", on_cpu=False).identity == f"batches of {CHUNK}"


@pytest.mark.parametrize("size", [1, 20, CHUNK, CHUNK + 1, COUNT])
def test_batches_of_any_size_go_through_in_whole_chunks(size: int) -> None:
    counts: list[int] = []

    class Doubled:
        cut, shape, identity = "cut", (4, 4, 3), ""

        def __call__(self, images: np.ndarray) -> np.ndarray:
            counts.append(len(images))
            return 2.0 * images.astype(np.float32)

    images = IMAGES[:, :4, :4]
    batches = [images[at : at + size] for at in range(0, COUNT, size)]
    outputs = list(extract_in_chunks(Doubled(), batches, size))
    assert counts == [CHUNK, COUNT - CHUNK]
    assert [len(batch) for batch in outputs] == [len(batch) for batch in batches]
    assert np.array_equal(np.concatenate(outputs), 2.0 * images)
