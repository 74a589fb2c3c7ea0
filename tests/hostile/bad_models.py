"""Model files and files of weights from strangers: code, links, traps, and wrong numbers."""

import base64
import io
import json
import marshal
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CONTRACT, WEIGHTS, CONFIG = "workbench.json", "model.weights.h5", "config.json"
LABELS = ["dark", "light", "grey"]
SPEC: dict[str, Any] = {
    "data": {"source": "photos", "image_size": [8, 8], "channels": 1},
    "model": {"strategy": "dense", "dense_units": [4]},
}
# Of the network of SPEC: layer, and the shapes of its weights.
SHAPES = {"dense1": ((64, 4), (4,)), "output": ((4, 3), (3,))}

Change = Callable[[h5py.File], None]


def contract(**changes: Any) -> bytes:
    """A sound contract with keys exchanged."""
    values = {"format": 1, "workbench": "1", "labels": LABELS, "spec": SPEC, **changes}
    return json.dumps(values).encode()


def spec(**tables: Any) -> dict[str, Any]:
    """SPEC with keys of its tables exchanged."""
    return {name: {**SPEC.get(name, {}), **tables.get(name, {})} for name in {*SPEC, *tables}}


def weights(change: Change = lambda file: None) -> bytes:
    """Sound weights of the network of SPEC, changed."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, shapes in SHAPES.items():
            values = file.create_group(f"layers/{name}/vars")
            values.attrs["name"] = name
            for number, shape in enumerate(shapes):
                values[str(number)] = np.full(shape, 0.1, np.float32)
        change(file)
    return content.getvalue()


def model(path: Path, **members: bytes) -> Path:
    """A sound model file with members exchanged, by their names here: contract, weights, ..."""
    names = {"contract": CONTRACT, "weights": WEIGHTS, "config": CONFIG}
    whole = {"contract": contract(), "weights": weights(), "config": b"{}", **members}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in whole.items():
            archive.writestr(names.get(key, key), content)
    return path


class Payload:
    """Would make a file `pwned` when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("pwned", "w"))


def lambda_config() -> bytes:
    """What keras.models.load_model(safe_mode=False) would run."""
    code = compile("open('pwned', 'w')", "x", "eval")
    packed = base64.b64encode(marshal.dumps(code)).decode()
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {
            "name": "lambda",
            "function": {"class_name": "__lambda__", "config": {"code": packed}},
        },
    }
    custom = {"module": "os", "class_name": "system", "config": {"command": "touch pwned"}}
    return json.dumps(
        {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer, custom]}}
    ).encode()


def pickled() -> bytes:
    """An npz of one pickled object."""
    content = io.BytesIO()
    np.savez(content, weights=np.array([Payload()], object))
    return content.getvalue()


def _replace(file: h5py.File, make: Change) -> None:
    del file["layers/dense1/vars/0"]
    make(file["layers/dense1/vars"])


def _external(group: h5py.Group) -> None:
    group["0"] = h5py.ExternalLink("/etc/other.h5", "/x")


def _soft(group: h5py.Group) -> None:
    group["0"] = h5py.SoftLink("/layers/output/vars/0")


def _raw(group: h5py.Group) -> None:
    group.create_dataset("0", (64, 4), np.float32, external=[("/etc/passwd", 0, 1024)])


def _virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((64, 4), np.float32)
    layout[...] = h5py.VirtualSource("/etc/other.h5", "x", (64, 4))
    group.create_virtual_dataset("0", layout)


def _compressed(group: h5py.Group) -> None:
    group.create_dataset("0", data=np.zeros((64, 4), np.float32), compression="gzip")


def _huge_piece(group: h5py.Group) -> None:
    group.create_dataset("0", (64, 4), np.float32, chunks=(1 << 14, 1 << 14), maxshape=(None, None))


def _of(values: Any) -> Change:
    def make(group: h5py.Group) -> None:
        group["0"] = values

    return make


def _huge_shape(group: h5py.Group) -> None:
    group.create_dataset("0", (1 << 20, 1 << 20), np.float32)


def _group(group: h5py.Group) -> None:
    group.create_group("0")


def _more(file: h5py.File) -> None:
    group = file.create_group("layers/more/vars")
    group.attrs["name"], group["0"] = "\x1b[31mmore\u202e", np.zeros(1)


def _fewer(file: h5py.File) -> None:
    del file["layers/output"]


def _no_layers(file: h5py.File) -> None:
    del file["layers"]


# What the first weight becomes, or the whole file; and a part of the message.
H5_REFUSED: dict[str, tuple[Change, str]] = {
    "link to another file": (lambda f: _replace(f, _external), "is a link"),
    "soft link": (lambda f: _replace(f, _soft), "is a link"),
    "values in another file": (lambda f: _replace(f, _raw), "lie in another file"),
    "virtual values": (lambda f: _replace(f, _virtual), "lie in another file"),
    "compressed": (lambda f: _replace(f, _compressed), "compressed or in pieces"),
    "a piece of a gigabyte": (lambda f: _replace(f, _huge_piece), "compressed or in pieces"),
    "four terabytes": (lambda f: _replace(f, _huge_shape), "has the shapes"),
    "other shape": (lambda f: _replace(f, _of(np.zeros((4, 64)))), "has the shapes"),
    "no shape": (lambda f: _replace(f, _of(h5py.Empty("f4"))), "cannot be read"),
    "whole numbers": (lambda f: _replace(f, _of(np.zeros((64, 4), int))), "not floating point"),
    "text": (lambda f: _replace(f, _of(np.full((64, 4), b"x"))), "not floating point"),
    "not a number": (lambda f: _replace(f, _of(np.full((64, 4), np.nan))), "not finite"),
    "infinite": (lambda f: _replace(f, _of(np.full((64, 4), np.inf))), "not finite"),
    "a group": (lambda f: _replace(f, _group), "is not a dataset"),
    "a layer more": (_more, "only in one of contract and weights"),
    "a layer less": (_fewer, "only in one of contract and weights"),
    "no layers": (_no_layers, "no layers as Keras stores them"),
}


def _deep(levels: int) -> bytes:
    return contract()[:-1] + b', "x": ' + b"[" * levels + b"]" * levels + b"}"


def _giant(units: int = 8192) -> bytes:
    """A network of 26,000,000,000 numbers."""
    data = {"image_size": [1024, 1024], "channels": 3}
    return contract(spec=spec(data=data, model={"dense_units": [units] * 8}))


CONTRACT_REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "Expecting value"),
    "no object": (b"[]", "workbench.json is missing or incomplete"),
    "no UTF-8": (b"\xff", "decode"),
    "tables 10,000 deep": (_deep(10_000), "is nested too deep"),
    "a spec 1,000 deep": (contract(spec=json.loads("[" * 900 + "]" * 900)), "more than 16 deep"),
    "a number of 5,000 digits": (b'{"format": ' + b"9" * 5000 + b"}", "digits"),
    "a later format": (contract(format=3, workbench="\x1b[31m"), "newer workbench, \\e[31m"),
    "not a number for a format": (contract(format="1"), "workbench.json is missing or incomplete"),
    "labels in one word": (contract(labels="abc"), "labels are not a list"),
    "one label": (contract(labels=["a"]), "labels are not a list"),
    "no labels": (contract(labels=None), "labels are not a list"),
    "numbers for labels": (contract(labels=[1, 2, 3]), "a label is 1"),
    "half a character": (contract(labels=["\ud800", "b", "c"]), "can't encode character"),
    "escapes for a key": (contract(spec={"\x1b[31m\u202e": 1}), "unknown key"),
    "26 billion numbers": (
        _giant(),
        "but the network of its contract has 26,239,655,939 numbers, 105 GB",
    ),
    "an image of terabytes": (
        contract(
            spec=spec(
                data={"image_size": [1024, 1024]},
                model={
                    "strategy": "convnet",
                    "filters": [2048],
                    "kernel_size": 1,
                    "pooling": False,
                    "dense_units": [],
                },
            )
        ),
        "13 kB of weights, but the network of its contract has",
    ),
}


def announce(path: Path, member: str, size: int) -> None:
    """Forges the size that a member has once it is unpacked, in both of its headers."""
    content = bytearray(path.read_bytes())
    name = member.encode()
    for signature, at, before in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        found = content.index(name)
        while content[found - before : found - before + 4] != signature:
            found = content.index(name, found + 1)
        content[found - before + at : found - before + at + 4] = struct.pack("<I", size)
    path.write_bytes(content)


def write_all(folder: Path) -> Path:
    """Writes model files of all kinds; returns the folder."""
    folder.mkdir(parents=True)
    model(folder / "sound.keras")
    model(folder / "code.keras", config=lambda_config())
    model(folder / "pickle.keras", **{"model.weights.npz": pickled()})
    model(folder / "traversal.keras", **{"../../pwned": b"x", "/tmp/pwned": b"x"})
    for name, (change, _) in H5_REFUSED.items():
        model(folder / f"{name}.keras", weights=weights(change))
    for name, (content, _) in CONTRACT_REFUSED.items():
        model(folder / f"contract with {name}.keras", contract=content)
    os.mkfifo(folder / "pipe.keras")
    return folder
