"""Untrusted models: fitting numbers are read, all else is refused, and no code runs."""

import os
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hostile.bad_images import REFUSED, image, write_odd_files
from hostile.bad_models import (
    CONTRACT,
    CONTRACT_REFUSED,
    H5_REFUSED,
    LABELS,
    WEIGHTS,
    announce,
    contract,
    lambda_config,
    model,
    pickled,
    weights,
)
from hostile.bad_names import NAMES, assert_harmless, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from person import Person

from workbench.errors import UserError
from workbench.evaluation import evaluate as predictions
from workbench.evaluation import model_file
from workbench.evaluation.evaluate import find_images, predict
from workbench.evaluation.model_file import load_model
from workbench.training.hdf5 import ForeignFile, stored_layers

LIMIT = 150_000_000  # bytes that a refusal may allocate; a model of ours has 1,100


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the network of the contract is built."""

    def build(*given: object) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr(model_file, "build_model", build)


def refusal(path: Path) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()
    assert_harmless(str(refused.value))
    assert not Path("pwned").exists()
    return refused.value.message


def test_an_intact_model_is_read(tmp_path: Path) -> None:
    loaded = load_model(model(tmp_path / "m.keras"))
    assert loaded.labels == tuple(LABELS)
    assert all((value == np.float32(0.1)).all() for value in loaded.model.get_weights())


@pytest.mark.parametrize("name", CONTRACT_REFUSED)
@pytest.mark.usefixtures("never_built")
def test_a_bad_contract_is_refused_before_anything_is_built(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = SimpleNamespace(available=1 << 40)  # what is refused first depends on free memory
    monkeypatch.setattr(model_file.psutil, "virtual_memory", lambda: plenty)
    content, message = CONTRACT_REFUSED[name]
    assert message in refusal(model(tmp_path / "m.keras", contract=content))


@pytest.mark.parametrize("name", H5_REFUSED)
def test_bad_weights_are_refused(tmp_path: Path, name: str) -> None:
    change, message = H5_REFUSED[name]
    assert message in refusal(model(tmp_path / "m.keras", weights=weights(change)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89HDF\r\n\x1a\n",
        b"\x89HDF\r\n\x1a\n" + bytes(5000),
        weights()[:2000],
        weights()[:24] + b"\xff" * 8 + weights()[32:],  # an address beyond all numbers
    ],
)
def test_other_content_than_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = model(tmp_path / "m.keras", weights=content.ljust(1200, b"\0"))
    assert "The weights in" in refusal(path)


@pytest.mark.usefixtures("never_built")
def test_weights_that_inflate_without_end_are_not_read(tmp_path: Path) -> None:
    assert "17 MB of weights" in refusal(
        model(tmp_path / "more.keras", weights=weights() + bytes(17_000_000))
    )
    path = model(tmp_path / "m.keras")
    announce(path, WEIGHTS, 4_000_000_000)
    assert "4.0 GB of weights, but the network of its contract has 275 numbers" in refusal(path)


@pytest.mark.usefixtures("never_built")
@pytest.mark.parametrize(("member", "size"), [(CONTRACT, 300), (CONTRACT, 0), (WEIGHTS, 1100)])
def test_members_larger_than_announced_are_damaged(tmp_path: Path, member: str, size: int) -> None:
    path = model(tmp_path / "m.keras", contract=contract().ljust(301))
    announce(path, member, size)
    assert "Bad CRC-32" in refusal(path)


@pytest.mark.usefixtures("never_built")
def test_a_contract_may_have_sixteen_megabytes(tmp_path: Path) -> None:
    path = model(tmp_path / "m.keras")
    announce(path, CONTRACT, 2**24 + 1)
    assert "its workbench.json announces 16,777,217 bytes" in refusal(path)
    path = model(tmp_path / "m.keras", contract=contract(labels=[]).ljust(2**24))
    assert "its labels are not a list" in refusal(path)


@pytest.mark.usefixtures("never_built")
def test_a_network_too_wide_for_the_memory_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = 511

    monkeypatch.setattr(model_file.psutil, "virtual_memory", Memory)
    path = model(tmp_path / "m.keras")
    assert "one image takes 512 B in its network, and 511 B of memory are free" in refusal(path)


def test_a_network_that_is_said_to_be_inside_another_has_to_be_there(tmp_path: Path) -> None:
    path = model(tmp_path / "m.keras", contract=contract(format=2, mirrored=True))
    assert "layers/functional is missing" in refusal(path)


def test_code_is_never_run(tmp_path: Path) -> None:
    """A Lambda layer, a custom object, a pickle and names outside the folder stay unread."""
    path = model(
        tmp_path / "m.keras",
        config=lambda_config(),
        **{"model.weights.npz": pickled(), "../../pwned": b"x", "assets/../../pwned": b"x"},
    )
    assert load_model(path).labels == tuple(LABELS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.keras"]
    assert not (tmp_path.parent / "pwned").exists()


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.keras")
    (tmp_path / "device.keras").symlink_to("/dev/zero")
    for path in (tmp_path / "m.keras", tmp_path / "device.keras", tmp_path, Path("x" * 300)):
        assert "There is no model file" in refusal(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_a_refusal_or_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = model(tmp_path_factory.mktemp("damaged") / "m.keras")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        loaded = load_model(path)
    except UserError as error:
        assert_harmless(str(error))
    else:
        assert loaded.labels == tuple(LABELS)


# --- HDF5 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, (_, message) in H5_REFUSED.items()
        if message.startswith(("is ", "lie", "not ", "co"))
    ],
)
def test_the_shared_hdf5_reader_refuses_them_too(tmp_path: Path, name: str) -> None:
    change, message = H5_REFUSED[name]
    (tmp_path / "w.h5").write_bytes(weights(change))
    with h5py.File(tmp_path / "w.h5") as file, pytest.raises(ForeignFile) as refused:
        [layer.read() for layer in stored_layers(file)]
    assert message in refused.value.problem
    assert_harmless(refused.value.problem)


# --- predictions ------------------------------------------------------------------------------


def test_files_of_a_folder_are_found_with_their_oddities(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    write_odd_files(folder)
    (folder / "deep").mkdir()
    (folder / "deep" / "1.png").write_bytes(image())
    found = predict(load_model(model(tmp_path / "m.keras")), find_images([str(folder)]))
    assert {Path(p.path).name for p in found if p.problem is None} == {"1.png"}
    assert len(found) == 7


def test_wide_networks_get_smaller_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """512 bytes an image: of three images, one or two go through the network together."""
    loaded = load_model(model(tmp_path / "m.keras"))
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(image(shade=80 * number))
    paths = find_images([str(tmp_path)])
    steps_seen: list[int] = []
    for limit, steps in ((511, [1, 2, 3]), (512, [1, 2, 3]), (1024, [2, 3]), (1 << 31, [3])):
        monkeypatch.setattr(predictions, "_BATCH_BYTES", limit)
        steps_seen.clear()
        found = predict(loaded, paths, lambda phase, done, total: steps_seen.append(done))
        assert steps_seen == steps
        assert [p.path for p in found] == paths


def test_the_terminal_shows_harmless_text(tmp_path: Path) -> None:
    """Escapes in labels, in names of images, and in error messages."""
    labels = ["\x1b[31mred\u202e", "[/oops]\n", "\udce9"]
    stranger = model(tmp_path / "\x1b]0;x\x07.keras", contract=contract(labels=labels))
    (tmp_path / "new").mkdir()
    for name in NAMES.values():
        (tmp_path / "new" / f"{text_of(name)}.png").write_bytes(image())
    for name, (content, _) in REFUSED.items():
        (tmp_path / "new" / name).write_bytes(content)
    printed = Person(tmp_path).types("predict", "new", "--model", str(stranger), expect=1)
    assert_harmless(printed)
    assert "\\e[31mred\\u202e" in printed
    for name in REFUSED:
        assert name in printed


def test_the_forged_files_are_as_named(tmp_path: Path) -> None:
    """Otherwise a refusal would prove little."""
    (tmp_path / "w.h5").write_bytes(weights(H5_REFUSED["link to another file"][0]))
    with h5py.File(tmp_path / "w.h5") as file:
        link = file["layers/dense1/vars"].get("0", getlink=True)
        assert isinstance(link, h5py.ExternalLink)
