"""Event files: checksums and bytes as in the documentation of the formats."""

import struct

import pytest
from recorded_run import recorded_run

from workbench.errors import UserError
from workbench.export.tensorboard import Scalar, crc32c, event_file, write_scalars
from workbench.paths import Workspace


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (bytes([0xFF] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_those_of_the_rfc(content: bytes, expected: int) -> None:
    assert crc32c(content) == expected


def test_a_scalar_is_an_event_with_a_summary() -> None:
    content = event_file([Scalar("loss", 300, 0.5, 7.0)], began=5.0)
    (length,) = struct.unpack("<Q", content[:8])
    first = content[12 : 12 + length]
    assert first == b"\x09" + struct.pack("<d", 5.0) + b"\x1a\x0dbrain.Event:2"
    rest = content[12 + length + 4 :]
    (length,) = struct.unpack("<Q", rest[:8])
    value = b"\x0a\x04loss\x15" + struct.pack("<f", 0.5)
    summary = b"\x0a" + bytes([len(value)]) + value
    event = b"\x09" + struct.pack("<d", 7.0) + b"\x10\xac\x02\x2a" + bytes([len(summary)]) + summary
    assert rest[12 : 12 + length] == event
    assert len(rest) == 8 + 4 + length + 4


def test_a_run_is_two_folders_and_an_earlier_export_stays(workspace: Workspace) -> None:
    run, folder = recorded_run(workspace), workspace.root / "logs"
    target = write_scalars(run, folder)
    assert target == folder / "pets-1"
    assert sorted(path.name for path in target.iterdir()) == ["train", "validation"]
    (train,) = (target / "train").iterdir()
    before = train.read_bytes()
    assert before.count(b"accuracy") == before.count(b"learning_rate") == 3
    with pytest.raises(UserError, match="is there already"):
        write_scalars(run, folder)
    write_scalars(run, folder, force=True)
    assert (target / "train" / train.name).read_bytes() == before
    (target / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds notes.txt, which no export wrote"):
        write_scalars(run, folder, force=True)
    assert sorted(path.name for path in folder.iterdir()) == ["pets-1"]


def test_a_run_without_epochs_is_rejected(workspace: Workspace) -> None:
    run = recorded_run(workspace)
    run.events_path.unlink()
    with pytest.raises(UserError, match="no finished epoch"):
        write_scalars(run, workspace.root / "logs")
    assert not (workspace.root / "logs").exists()


def test_a_monitored_score_is_a_curve_of_the_validation(workspace: Workspace) -> None:
    run, folder = recorded_run(workspace), workspace.root / "logs"
    lines = run.events_path.read_text().replace('"val_macro_f1": null', '"val_macro_f1": 0.5')
    run.events_path.write_text(lines)
    (validation,) = (write_scalars(run, folder) / "validation").iterdir()
    assert validation.read_bytes().count(b"macro_f1") == 3
    (train,) = (folder / "pets-1" / "train").iterdir()
    assert b"macro_f1" not in train.read_bytes()
