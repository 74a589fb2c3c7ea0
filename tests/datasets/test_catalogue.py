"""The catalogue: its entries, and the conversion of each kind of file."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from web_server import WebServer

from workbench.datasets.sources.catalogue import (
    CATALOGUE,
    CatalogueEntry,
    RemoteFile,
    fetch,
)
from workbench.errors import UserError
from workbench.paths import Workspace


def publish(web: WebServer, name: str, *contents: bytes) -> dict[str, CatalogueEntry]:
    """A catalogue in which the files of `name` are these, tiny ones, served by `web`."""
    files = []
    for file, content in zip(CATALOGUE[name].files, contents, strict=True):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        files.append(replace(file, size=len(content), digest=digest))
        web.files[file.name] = content
    return {name: replace(CATALOGUE[name], files=tuple(files))}


def bring(web: WebServer, workspace: Workspace, catalogue: dict[str, CatalogueEntry]) -> Path:
    (name,) = catalogue
    return fetch(name, workspace, base_url=web.address, catalogue=catalogue)


def content_of(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


# --- the table --------------------------------------------------------------------------------


def test_the_catalogue_has_the_sets_it_promises() -> None:
    assert list(CATALOGUE) == [
        "digits",
        "mnist",
        "fashion-mnist",
        "cifar-10",
        "cats-vs-dogs",
        "flowers",
    ]
    assert [entry.download_size for entry in CATALOGUE.values()] == [
        0,
        11_490_434,
        30_878_645,
        170_052_171,
        824_887_076,
        228_813_984,
    ]


@pytest.mark.parametrize("file", [f for entry in CATALOGUE.values() for f in entry.files])
def test_each_file_has_a_hash_of_the_right_length_and_names_its_publisher(
    file: RemoteFile,
) -> None:
    assert file.url.startswith("https://")
    assert file.digest is not None
    algorithm, _, value = file.digest.partition(":")
    assert len(bytes.fromhex(value)) == hashlib.new(algorithm).digest_size
    assert file.verification == f"{algorithm} as published by {file.source}"
    assert file.source


def test_a_file_without_a_published_hash_is_reported_as_unverified() -> None:
    assert "unverified" in RemoteFile("https://example.org/x.zip", 10).verification


def test_an_unknown_name_is_refused_with_the_known_ones(workspace: Workspace) -> None:
    with pytest.raises(UserError) as caught:
        fetch("imagenet\x1b", workspace)
    assert "'imagenet\\e'" in caught.value.message
    assert "cats-vs-dogs, cifar-10, digits, fashion-mnist, flowers or mnist" in caught.value.hint
    assert not workspace.data.exists()


# --- npz --------------------------------------------------------------------------------------


def test_mnist_is_kept_as_it_came(web: WebServer, workspace: Workspace) -> None:
    path = bring(web, workspace, publish(web, "mnist", b"bytes of an npz"))
    assert path == workspace.data / "mnist" / "source" / "mnist.npz"
    assert path.read_bytes() == b"bytes of an npz"
    assert content_of(path.parent) == ["mnist.npz"]
    assert content_of(path.parents[1]) == [".fetch.lock", "source"]


def test_what_is_there_is_not_fetched_again(web: WebServer, workspace: Workspace) -> None:
    catalogue = publish(web, "mnist", b"bytes of an npz")
    first = bring(web, workspace, catalogue)
    assert bring(web, workspace, catalogue) == first
    assert web.ranges == [None]


def test_a_source_without_its_result_is_reported(workspace: Workspace) -> None:
    (workspace.data / "mnist" / "source").mkdir(parents=True)
    with pytest.raises(UserError, match=r"mnist\.npz in it is missing"):
        fetch("mnist", workspace)


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(head + values.astype(np.uint8).tobytes())


def test_fashion_mnist_becomes_an_npz_with_names(web: WebServer, workspace: Workspace) -> None:
    images = np.arange(5 * 6).reshape(5, 2, 3)
    labels = np.array([9, 0, 1, 2, 3])
    catalogue = publish(
        web, "fashion-mnist", idx(images[:3]), idx(labels[:3]), idx(images[3:]), idx(labels[3:])
    )
    path = bring(web, workspace, catalogue)
    assert path == workspace.data / "fashion-mnist" / "source" / "fashion-mnist.npz"
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["label_names", "x_test", "x_train", "y_test", "y_train"]
        assert arrays["x_train"].tolist() == images[:3].tolist()
        assert arrays["y_train"].tolist() == [9, 0, 1]
        assert arrays["x_test"].tolist() == images[3:].tolist()
        assert arrays["y_test"].tolist() == [2, 3]
        assert tuple(arrays["label_names"]) == CATALOGUE["fashion-mnist"].classes
        assert arrays["x_train"].dtype == np.uint8


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [(3, [0, 1], "3 images, but 2 labels"), (2, [0, 10], "a label is 10, and there are 10")],
)
def test_labels_that_do_not_fit_are_refused(
    web: WebServer, workspace: Workspace, images: int, labels: list[int], expected: str
) -> None:
    good, right = idx(np.zeros((1, 2, 2))), idx(np.zeros(1))
    catalogue = publish(
        web, "fashion-mnist", idx(np.zeros((images, 2, 2))), idx(np.array(labels)), good, right
    )
    with pytest.raises(UserError, match=expected):
        bring(web, workspace, catalogue)
    assert content_of(workspace.data / "fashion-mnist") == [".fetch.lock", "download"]


def test_a_file_that_is_not_gzip_is_damaged(web: WebServer, workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz is damaged"):
        bring(web, workspace, publish(web, "fashion-mnist", b"plain", b"", b"", b""))


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def cifar_batch(label: int) -> bytes:
    """One image: red 10 + label everywhere, green 1 in the first row, blue 2 in the last."""
    planes = np.zeros((3, 32, 32), np.uint8)
    planes[0], planes[1, 0], planes[2, 31] = 10 + label, 1, 2
    return bytes([label]) + planes.tobytes()


def cifar_archive(**changes: bytes) -> bytes:
    batches = {f"data_batch_{n}": cifar_batch(n) for n in (3, 1, 2, 5, 4)}
    batches |= {"test_batch": cifar_batch(0) + cifar_batch(9), **changes}
    members = {f"cifar-10-batches-bin/{name}.bin": data for name, data in batches.items()}
    return tar({"cifar-10-batches-bin/readme.html": b"<html>", **members})


def test_cifar_becomes_an_npz_of_rows_columns_colours(web: WebServer, workspace: Workspace) -> None:
    path = bring(web, workspace, publish(web, "cifar-10", cifar_archive()))
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["x_train"].shape == (5, 32, 32, 3)
        assert arrays["y_train"].tolist() == [1, 2, 3, 4, 5]  # by the number of the batch
        assert arrays["y_test"].tolist() == [0, 9]
        assert arrays["x_train"][1, 0, 5].tolist() == [12, 1, 0]
        assert arrays["x_train"][1, 31, 5].tolist() == [12, 0, 2]
        assert arrays["x_test"][1, 7, 7].tolist() == [19, 0, 0]
        assert list(arrays["label_names"][[0, 9]]) == ["airplane", "truck"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"data_batch_2": cifar_batch(0)[:-1]}, "data_batch_2.bin holds 3,072 bytes"),
        ({"test_batch": b""}, "test_batch.bin holds 0 bytes"),
        ({"data_batch_5": cifar_batch(10)}, "a label is 10, and there are 10 classes"),
    ],
)
def test_a_wrong_batch_is_refused(
    web: WebServer, workspace: Workspace, change: dict[str, bytes], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        bring(web, workspace, publish(web, "cifar-10", cifar_archive(**change)))


def test_a_missing_batch_is_named(web: WebServer, workspace: Workspace) -> None:
    archive = tar({"cifar-10-batches-bin/test_batch.bin": cifar_batch(0)})
    with pytest.raises(UserError, match=r"lacks data_batch_1\.bin, .*data_batch_5\.bin\."):
        bring(web, workspace, publish(web, "cifar-10", archive))


# --- archives of images -----------------------------------------------------------------------


FLOWERS = {
    "./flower_photos/LICENSE.txt": b"CC BY",
    "flower_photos/roses/1.jpg": b"red",
    "flower_photos/tulips/caf\udce9.jpg": b"yellow",
}
PETS = {"PetImages/Cat/0.jpg": b"purr", "PetImages/Dog/0.jpg": b"wuff", "readme[1].txt": b"x"}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.mkdir("PetImages")
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_tar_becomes_a_folder(web: WebServer, workspace: Workspace) -> None:
    steps: list[tuple[str, int, int]] = []
    catalogue = publish(web, "flowers", tar(FLOWERS))
    path = fetch(
        "flowers",
        workspace,
        lambda *step: steps.append(step),
        base_url=f"{web.address}/",
        catalogue=catalogue,
    )
    assert path == workspace.data / "flowers" / "source" / "flower_photos"
    assert (path / "roses" / "1.jpg").read_bytes() == b"red"
    assert (path / "tulips" / "caf\udce9.jpg").read_bytes() == b"yellow"
    assert (path / "LICENSE.txt").exists()
    assert content_of(path.parents[1]) == [".fetch.lock", "source"]
    total = catalogue["flowers"].download_size
    assert [step for step in steps if step[0] == "unpack flower_photos.tgz"][-1][2] == total


def test_a_zip_becomes_a_folder(web: WebServer, workspace: Workspace) -> None:
    path = bring(web, workspace, publish(web, "cats-vs-dogs", zipped(PETS)))
    assert path == workspace.data / "cats-vs-dogs" / "source" / "PetImages"
    assert (path / "Cat" / "0.jpg").read_bytes() == b"purr"
    assert (path / "Dog" / "0.jpg").read_bytes() == b"wuff"


@pytest.mark.parametrize(
    ("name", "archive", "expected"),
    [
        ("flowers", tar({"../outside": b"x"}), "'../outside' leads out of its folder"),
        ("cats-vs-dogs", zipped({"../outside": b"x"}), "'../outside' leads out of its folder"),
    ],
    ids=lambda value: "archive" if isinstance(value, bytes) else None,  # holds the time
)
def test_an_archive_that_reaches_out_of_its_folder_is_refused(
    web: WebServer, workspace: Workspace, name: str, archive: bytes, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        bring(web, workspace, publish(web, name, archive))
    assert expected in caught.value.message
    assert content_of(workspace.data / name) == [".fetch.lock", "download"]
    assert content_of(workspace.root) == ["data"]
    assert content_of(workspace.data) == [name]


def test_dots_inside_a_name_are_no_way_out(web: WebServer, workspace: Workspace) -> None:
    path = bring(web, workspace, publish(web, "flowers", tar({"flower_photos/..x/a..b": b"x"})))
    assert (path / "..x" / "a..b").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("flowers", b"no archive"),
        ("flowers", tar(FLOWERS)[:60]),
        ("cats-vs-dogs", b"no archive"),
        ("cats-vs-dogs", zipped(PETS, zipfile.ZIP_STORED).replace(b"purr", b"hiss")),
    ],
    ids=lambda value: "archive" if isinstance(value, bytes) else None,
)
def test_a_damaged_archive_is_reported(
    web: WebServer, workspace: Workspace, name: str, archive: bytes
) -> None:
    with pytest.raises(UserError, match="is damaged"):
        bring(web, workspace, publish(web, name, archive))
    assert not (workspace.data / name / "source").exists()


# --- interrupted ------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["download", "check", "unpack"])
def test_an_interrupted_fetch_continues(web: WebServer, workspace: Workspace, when: str) -> None:
    catalogue = publish(web, "flowers", tar(FLOWERS))

    def interrupt(phase: str, done: int, total: int) -> None:
        if phase.startswith(when) and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("flowers", workspace, interrupt, base_url=web.address, catalogue=catalogue)
    assert content_of(workspace.data / "flowers") == [".fetch.lock", "download"]
    path = bring(web, workspace, catalogue)
    assert (path / "roses" / "1.jpg").read_bytes() == b"red"
    assert web.ranges == [None]  # nothing was fetched twice


def test_what_a_killed_process_left_is_replaced(web: WebServer, workspace: Workspace) -> None:
    left = workspace.data / "flowers" / "source.new" / "flower_photos" / "weeds"
    left.mkdir(parents=True)
    path = bring(web, workspace, publish(web, "flowers", tar(FLOWERS)))
    assert content_of(path) == ["LICENSE.txt", "roses", "tulips"]
    assert not left.exists()


def test_a_read_only_workspace_is_reported(web: WebServer, workspace: Workspace) -> None:
    workspace.data.write_text("a file in its place")
    with pytest.raises(UserError, match="cannot be written"):
        bring(web, workspace, publish(web, "mnist", b"npz"))


def test_a_full_disk_while_unpacking_is_reported(web: WebServer, workspace: Workspace) -> None:
    def fill_the_disk(files: object, into: Path, progress: object) -> None:
        (into / "1.jpg").symlink_to("/dev/full")
        with (into / "1.jpg").open("wb", buffering=0) as file:
            file.write(b"x")

    catalogue = publish(web, "flowers", tar(FLOWERS))
    catalogue["flowers"] = replace(catalogue["flowers"], build=fill_the_disk)
    with pytest.raises(UserError) as caught:
        bring(web, workspace, catalogue)
    assert "the disk is full. Finished downloads are kept." in caught.value.message
    assert content_of(workspace.data / "flowers") == [".fetch.lock", "download"]
    assert content_of(workspace.data / "flowers" / "download") == ["flower_photos.tgz"]
