"""Damages to the files of a run between two sessions."""

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from workbench.runs.folder import RunFolder

Between = Callable[[RunFolder], None]


def filler(run: Path) -> Path:
    """Return the file that fills the disk."""
    return _workspace(run) / "filler"


def away(run: Path) -> Path:
    """Return where a run's folder is moved to."""
    return _workspace(run) / "away"


def waiting(run: Path) -> Path:
    """Return a file that exists while a worker waits."""
    return _workspace(run) / "waiting"


def empty_disk(run: RunFolder) -> None:
    filler(run.path).unlink()


def writable_again(run: RunFolder) -> None:
    run.checkpoints.chmod(0o755)


def bring_back(run: RunFolder) -> None:
    assert not run.path.exists(), "a worker created the folder that was moved away again"
    away(run.path).rename(run.path)


# checkpoints


def cut_last(run: RunFolder) -> None:
    _cut(run.checkpoints / "last.npz")


def flip_last(run: RunFolder) -> None:
    _flip(run.checkpoints / "last.npz")


def empty_last(run: RunFolder) -> None:
    (run.checkpoints / "last.npz").write_bytes(b"")


def remove_last(run: RunFolder) -> None:
    (run.checkpoints / "last.npz").unlink()


def damage_both(run: RunFolder) -> None:
    _flip(run.checkpoints / "last.npz")
    _cut(run.checkpoints / "previous.npz")


def damage_start(run: RunFolder) -> None:
    _cut(run.checkpoints / "start-stage1.npz")


# the event log


def tear_log(run: RunFolder) -> None:
    """Cut the log, as if the machine went down in the middle of a line."""
    content = run.events_path.read_bytes()
    run.events_path.write_bytes(content[:-20])


def garbage_in_log(run: RunFolder) -> None:
    with run.events_path.open("ab") as file:
        file.write(b'\x00\xff{"event": \n[1, 2]\n{"event": "epoch_finished", "epoch": "x"}\n{')


def cut_log(run: RunFolder) -> None:
    """Remove lines that never reached the disk: all from the last checkpoint on."""
    lines = run.events_path.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if b'"checkpoint_saved"' in line)
    run.events_path.write_bytes(b"".join(lines[:last]))


# data


def remove_pack(run: RunFolder) -> None:
    _only(run, "pack-*.npy").unlink()


def cut_pack(run: RunFolder) -> None:
    _cut(_only(run, "pack-*.npy"))


def remove_data(run: RunFolder) -> None:
    shutil.rmtree(_workspace(run.path) / "data")


def remove_features(run: RunFolder) -> None:
    for path in _features(run):
        path.unlink()


def cut_features(run: RunFolder) -> None:
    for path in _features(run):
        _cut(path)


def change_image(run: RunFolder) -> None:
    path = _workspace(run.path) / "photos" / "dark" / "dark-0.png"
    Image.new("RGB", (24, 20), (250, 0, 0)).save(path)


def change_image_and_pack(run: RunFolder) -> None:
    change_image(run)
    remove_pack(run)


def remove_manifest(run: RunFolder) -> None:
    run.manifest_path.unlink()


# the spec


def change_dropout(run: RunFolder) -> None:
    text = run.spec_path.read_text()
    assert "dropout = 0.3" in text
    run.spec_path.write_text(text.replace("dropout = 0.3", "dropout = 0.4"))


def damage_spec(run: RunFolder) -> None:
    run.spec_path.write_text("[data\n")


def _workspace(run: Path) -> Path:
    return run.parent.parent


def _only(run: RunFolder, pattern: str) -> Path:
    (path,) = (_workspace(run.path) / "data").glob(f"*/{pattern}")
    return path


def _features(run: RunFolder) -> list[Path]:
    found = list((_workspace(run.path) / "data").glob("*/features-*.npy"))
    assert found
    return found


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _flip(path: Path) -> None:
    """Flip a bit in the middle, as a bad disk or memory does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
