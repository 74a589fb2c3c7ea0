"""Whatever is printed can be encoded, in every locale; what is not in it has a stand-in."""

import codecs
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from event_lines import LogWriter
from fake_runs import fake_results
from PIL import Image
from terminal import Terminal

from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.streams import make_printable, supports_unicode, use_utf8
from workbench.text import describe_unencodable
from workbench.worker.jobs import describe_failure

REPOSITORY = Path(__file__).parents[2]
LONG = "x" * 300  # is cut, with an ellipsis
NAME = "日本café"
LATIN_1 = {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C.UTF-8"}
C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A run of two labels with odd names, images with odd names, both long."""
    output = fake_results(2)
    output |= {"labels": [NAME, LONG], "split": "test"}
    output["classes"] = [{**one, "label": NAME} for one in output["classes"]]
    output["worst"] = [
        {"path": f"{NAME}/{LONG}.png", "label": NAME, "predicted": LONG, "probability": 0.9,
         "loss": 2.3}
    ]  # fmt: skip
    text = f'preset = "dense"\n[data]\nsource = "/photos/{NAME}"\n[model]\nstrategy = "dense"\n'
    folder = create_run(Workspace(tmp_path), text, "odd", "")
    folder.results_path.write_text(json.dumps(output))
    folder.predictions_path.write_text(
        f"path,label,predicted,{NAME},{LONG}\n{NAME}/{LONG}.png,{NAME},{LONG},0.1,0.9\n" * 1
        + f"b.png,{LONG},{LONG},0.1,0.9\n" * 5,
        encoding="utf-8",
    )
    write = LogWriter(folder.events_path).write
    write("data_ready", name=NAME, images={"test": 2}, labels=[NAME, LONG])
    write("notice", message=f"{NAME} …")
    write("failed", kind="user", message=f"{NAME}: {LONG} …", hint="")
    for label in ("cat", "dog", NAME):
        for number in range(3):
            path = tmp_path / "photos" / label / f"{label}{number}{'y' * 90}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 9), (80 * number, 9, 9)).save(path)
    return tmp_path


def types(workspace: Path, environment: dict[str, str], *words: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", *words], cwd=workspace, stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(workspace), "PYTHONPATH": str(REPOSITORY),
             **environment},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


COMMANDS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("--help",), 0),
    (("runs",), 0),
    (("runs", "--json"), 0),
    (("status", "odd"), 0),
    (("attach", "odd"), 2),
    (("evaluate", "odd"), 0),
    (("evaluate", "odd", "--json"), 0),
    (("analyze", "odd"), 0),
    (("analyze", "odd", "--json"), 0),
    (("data", "scan", "photos"), 0),
    (("data", "scan", "photos", "--all"), 0),
    (("data", "scan", "photos", "--json"), 0),
    (("data", "scan", f"{NAME}{LONG}"), 2),
    (("status", f"{NAME}…{LONG}"), 2),
    (("train", "--preset", f"…{LONG}", "--data", "photos"), 2),
    (("predict", f"{NAME}.png", "--model", f"{LONG}…"), 2),
)


@pytest.mark.parametrize("environment", [LATIN_1, C], ids=["latin-1", "C"])
@pytest.mark.parametrize(
    ("words", "code"),
    COMMANDS,
    ids=lambda one: " ".join(one)[:30] if isinstance(one, tuple) else "",
)
def test_a_command_ends_as_it_would_in_utf8(
    workspace: Path, environment: dict[str, str], words: tuple[str, ...], code: int
) -> None:
    ended, out, err = types(workspace, environment, *words)
    assert b"Traceback" not in err
    assert b"codec" not in out + err
    assert ended == code, err
    assert out + err
    encoding = "ascii" if environment is C else "latin-1"
    output = (out + err).decode(encoding)
    assert "…" not in output


@pytest.mark.parametrize(
    ("environment", "name"),
    [(LATIN_1, rb"\u65e5\u672ccaf" + b"\xe9"), (C, rb"\u65e5\u672ccaf\xe9")],
)
def test_names_stay_what_they_are_and_columns_straight(
    workspace: Path, environment: dict[str, str], name: bytes
) -> None:
    _, out, _ = types(workspace, environment, "evaluate", "odd")
    row = next(line for line in out.splitlines() if b"0.3333" in line)
    assert row.split()[0] == name
    assert b"~" in out  # where a name was cut


def test_json_is_the_same_in_every_locale(workspace: Path) -> None:
    output = [types(workspace, one, "evaluate", "odd", "--json")[1] for one in (LATIN_1, C)]
    assert output[0] == output[1]
    assert json.loads(output[0])["labels"] == [NAME, LONG]


def test_the_app_is_drawn_where_python_is_shown_another_encoding(tmp_path: Path) -> None:
    """The terminal's locale counts: it draws UTF-8, or only ASCII."""
    command = [sys.executable, "-m", "workbench"]
    with Terminal(tmp_path, command=command, PYTHONIOENCODING="latin-1") as terminal:
        terminal.until("No runs yet")
        terminal.types("?")
        terminal.until("←")
    with Terminal(tmp_path, command=command, **C) as terminal:
        assert terminal.until("No runs yet").isascii()


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("latin-1", "é…日", b"\xe9~\\u65e5"),
        ("ascii", "é…日", b"\\xe9~\\u65e5"),
        ("ascii", "─│┐→°█", b"-|+> #"),
        ("cp1252", "é…│", b"\xe9\x85|"),
        ("utf-8", "é…\udcff", b"\xc3\xa9\xe2\x80\xa6\\udcff"),
    ],
)
def test_a_stream_writes_stand_ins(encoding: str, text: str, written: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    make_printable(stream)
    stream.write(text)
    stream.flush()
    assert raw.getvalue() == written
    assert codecs.lookup(stream.encoding).name != "ascii"  # for which click would send UTF-8
    assert supports_unicode(stream) is (encoding == "utf-8")


def test_a_log_is_utf8_in_every_locale() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    use_utf8(stream)
    stream.write("é…\udcff")
    stream.flush()
    assert raw.getvalue() == b"\xc3\xa9\xe2\x80\xa6\\udcff"


def test_a_worker_prints_what_it_likes(tmp_path: Path) -> None:
    """A library's bar is no reason for a run to fail: the worker's log takes it."""
    script = (
        "import sys, workbench.worker.__main__ as worker\n"
        "try: worker.main(['no-such-job'])\n"
        "except SystemExit: pass\n"
        "print('━ é')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), **LATIN_1},
    )  # fmt: skip
    assert done.stdout.decode() == "━ é\n"


def test_a_name_that_the_locale_lacks_is_described() -> None:
    with pytest.raises(UnicodeEncodeError) as refused:
        "/photos/é".encode("ascii")
    message, hint = describe_unencodable(refused.value)
    assert describe_failure(refused.value) == (message, hint)
    assert message == (
        "/photos/é cannot be the name of a file here: the encoding of the locale, ascii, lacks "
        "some of its letters."
    )
    assert hint == "Choose a locale of UTF-8: export LC_ALL=C.UTF-8"
