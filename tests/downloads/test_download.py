"""Downloads: complete, resumed, verified, and refused with clear messages."""

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest
from waiting import GUARD, wait_until
from web_server import WebServer

from workbench.downloads import download as module
from workbench.downloads.disk import locked
from workbench.downloads.download import download
from workbench.errors import UserError

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@pytest.fixture
def web(web: WebServer) -> WebServer:
    web.files["file.bin"] = CONTENT
    return web


def fetch(web: WebServer, target: Path, **options: Any) -> Path:
    options = {"size": SIZE, "digest": SHA, "timeout": GUARD, "backoff": 0.0, **options}
    return download(web.url("file.bin"), target, **options)


def refusal(web: WebServer, target: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        fetch(web, target, **options)
    return str(caught.value)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "file.bin"


def part_of(target: Path) -> Path:
    return target.with_name("file.bin.part")


def content_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave_part(target: Path, content: bytes) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(content)


# --- whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [SHA, MD5, None])
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_whole_file_arrives_and_only_it(
    web: WebServer, target: Path, size: int | None, digest: str | None
) -> None:
    assert fetch(web, target, size=size, digest=digest) == target
    assert target.read_bytes() == CONTENT
    assert content_of(target.parent) == ["file.bin"]
    assert web.ranges == [None]


def test_progress_counts_bytes_of_the_download_and_of_the_check(
    web: WebServer, target: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    fetch(web, target, progress=lambda *step: steps.append(step))
    assert steps[0] == ("download file.bin", 0, SIZE)
    assert ("download file.bin", SIZE, SIZE) in steps
    assert steps[-1] == ("check file.bin", SIZE, SIZE)


def test_a_server_that_sends_no_length_is_read_to_the_end(web: WebServer, target: Path) -> None:
    web.faults = ["no length"]
    fetch(web, target, size=None)
    assert target.read_bytes() == CONTENT


def test_redirects_to_http_are_followed(web: WebServer, target: Path) -> None:
    web.faults = [("status", 302, {"Location": web.url("file.bin")})]
    assert fetch(web, target).read_bytes() == CONTENT


# --- there already ----------------------------------------------------------------------------


def test_a_file_that_is_there_and_right_needs_no_server(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(CONTENT)
    part_of(target).write_bytes(b"left over")
    assert download("http://127.0.0.1:9/file.bin", target, size=SIZE, digest=SHA) == target
    assert content_of(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (CONTENT[:-1], f"{SIZE:,} bytes are expected, {SIZE - 1:,} were received"),
        (CONTENT[:-1] + b"!", f"sha256 {SHA[7:]} is expected"),
    ],
)
def test_a_wrong_file_that_is_there_is_never_touched(
    web: WebServer, tmp_path: Path, there: bytes, expected: str
) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(there)
    message = refusal(web, target)
    assert expected in message
    assert "Move it elsewhere" in message
    assert target.read_bytes() == there
    assert web.ranges == []


# --- continued --------------------------------------------------------------------------------


def test_a_dropped_connection_is_continued_where_it_broke(web: WebServer, target: Path) -> None:
    web.faults = [("drop", 4000), ("drop", 1000)]
    assert fetch(web, target).read_bytes() == CONTENT
    assert web.ranges == [None, "bytes=4000-", "bytes=5000-"]


def test_without_size_and_hash_a_file_that_changed_meanwhile_restarts(
    web: WebServer, target: Path
) -> None:
    web.files["file.bin"] = b"x" * SIZE
    web.faults = [("drop", 4000)]

    def change(phase: str, done: int, total: int) -> None:
        if done == 4000:
            web.files["file.bin"], web.etag = CONTENT, '"second"'

    fetch(web, target, size=None, digest=None, progress=change)
    assert target.read_bytes() == CONTENT
    assert web.ranges == [None, "bytes=4000-"]


def test_an_interrupted_download_is_continued_by_the_next_command(
    web: WebServer, target: Path
) -> None:
    def interrupt(phase: str, done: int, total: int) -> None:
        if done == 4000:
            raise KeyboardInterrupt

    web.faults = [("drop", 4000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(web, target, progress=interrupt)
    assert part_of(target).read_bytes() == CONTENT[:4000]
    assert not target.exists()
    assert fetch(web, target).read_bytes() == CONTENT
    assert web.ranges == [None, "bytes=4000-"]


def test_what_nothing_could_check_is_not_continued(web: WebServer, target: Path) -> None:
    leave_part(target, b"of another file")
    fetch(web, target, size=None, digest=None)
    assert target.read_bytes() == CONTENT
    assert web.ranges == [None]


@pytest.mark.parametrize(
    ("size", "digest", "requests"),
    [(SIZE, SHA, []), (None, SHA, [f"bytes={SIZE}-"])],
)
def test_a_part_that_is_complete_is_only_checked(
    web: WebServer, target: Path, size: int | None, digest: str, requests: list[str]
) -> None:
    leave_part(target, CONTENT)
    assert fetch(web, target, size=size, digest=digest).read_bytes() == CONTENT
    assert web.ranges == requests


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_part_longer_than_the_file_restarts(
    web: WebServer, target: Path, size: int | None
) -> None:
    leave_part(target, CONTENT + b"and more")
    assert fetch(web, target, size=size).read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_all_of_it_again(web: WebServer, target: Path) -> None:
    leave_part(target, b"?" * 4000)
    web.faults = ["no ranges"]
    assert fetch(web, target).read_bytes() == CONTENT
    assert web.ranges == ["bytes=4000-"]


def test_a_server_that_sends_a_wrong_part_is_requested_again(web: WebServer, target: Path) -> None:
    leave_part(target, CONTENT[:4000])
    web.faults = [("status", 206, {"Content-Range": f"bytes 10-{SIZE - 1}/{SIZE}"})]
    assert fetch(web, target).read_bytes() == CONTENT
    assert web.ranges == ["bytes=4000-", None]


@pytest.mark.parametrize("fault", ["hang up", ("status", 503, {}), ("status", 429, {})])
def test_a_passing_fault_is_tried_again(web: WebServer, target: Path, fault: Any) -> None:
    web.faults = [fault]
    assert fetch(web, target).read_bytes() == CONTENT
    assert len(web.ranges) == 2


def test_it_gives_up_when_nothing_new_comes_any_more(web: WebServer, target: Path) -> None:
    web.faults = [("drop", 10), *[("drop", 0)] * 9]
    message = refusal(web, target, attempts=3)
    assert "the connection was closed early" in message
    assert "10 B were received; the next try resumes there." in message
    assert part_of(target).read_bytes() == CONTENT[:10]
    # Three connections: the first one received bytes, two more received none.
    assert len(web.ranges) == 3


def test_connections_that_bring_something_may_be_many(web: WebServer, target: Path) -> None:
    web.faults = [("drop", 100)] * 12
    assert fetch(web, target, attempts=2).read_bytes() == CONTENT
    assert len(web.ranges) == 13


# --- wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "md5:" + "0" * 32])
def test_a_wrong_hash_is_reported_and_the_part_is_removed(
    web: WebServer, target: Path, digest: str
) -> None:
    message = refusal(web, target, digest=digest)
    algorithm, _, expected = digest.partition(":")
    received = {"sha256": SHA, "md5": MD5}[algorithm].partition(":")[2]
    assert f"{algorithm} {expected} is expected, {received} was received." in message
    assert web.url("file.bin") in message
    assert content_of(target.parent) == []


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1])
def test_a_wrong_size_is_refused_before_a_byte_is_fetched(
    web: WebServer, target: Path, size: int
) -> None:
    message = refusal(web, target, size=size)
    assert f"the server offers {SIZE:,} bytes, {size:,} are expected" in message
    assert content_of(target.parent) == []


def test_an_offer_of_the_wrong_size_keeps_the_part(web: WebServer, target: Path) -> None:
    """As when a login page answers in place of the server."""
    leave_part(target, CONTENT[:4000])
    web.files["file.bin"] = b"<html>log in</html>"
    web.faults = ["no ranges"]
    assert "login page" in refusal(web, target)
    assert part_of(target).read_bytes() == CONTENT[:4000]


@pytest.mark.parametrize("sent", [CONTENT + b"!", CONTENT + CONTENT])
def test_more_than_the_size_without_a_length_is_refused(
    web: WebServer, target: Path, sent: bytes
) -> None:
    web.files["file.bin"] = sent
    web.faults = ["no length"]
    assert f"{SIZE:,} bytes are expected" in refusal(web, target, digest=None)
    assert content_of(target.parent) == []


# --- out of reach -----------------------------------------------------------------------------


def test_a_missing_file_is_reported_with_instructions(
    web: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "ada")
    del web.files["file.bin"]
    message = refusal(web, target)
    assert f"{web.url('file.bin')} could not be downloaded: " in message
    assert "the server has no such file (404)." in message
    assert f"curl -L -o file.bin {web.url('file.bin')}" in message
    assert f"scp file.bin 'ada@{socket.gethostname()}:{target}'" in message
    assert len(web.ranges) == 1
    assert content_of(target.parent) == []


def test_a_refused_connection_is_reported_at_once(target: Path) -> None:
    with socket.socket() as unused:  # bound, never listening: nobody else can take the port
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file.bin"
        with pytest.raises(UserError, match=r"127\.0\.0\.1 refused the connection"):
            download(url, target, size=SIZE, backoff=3600)


def test_a_machine_without_internet_is_reported_at_once(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(UserError) as caught:
        download("https://example.org/file.bin", target, size=SIZE, backoff=3600)
    assert "the name example.org cannot be resolved" in caught.value.message
    assert "scp file.bin" in caught.value.hint


def test_a_server_that_falls_silent_is_reported(web: WebServer, target: Path) -> None:
    web.faults = ["stall"] * 2
    message = refusal(web, target, timeout=0.2, attempts=2)
    assert "127.0.0.1 sent nothing for 0.2 s." in message
    wait_until(lambda: len(web.ranges) == 2)  # both reach the server, be it after that


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_a_redirect_to_anything_but_the_web_is_refused(
    web: WebServer, target: Path, place: str
) -> None:
    web.faults = [("status", 302, {"Location": place})]
    message = refusal(web, target)
    assert f"it redirects to {place}; only http and https are followed" in message
    assert content_of(target.parent) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "mnist.npz", "http://["])
def test_only_web_addresses_are_taken(target: Path, url: str) -> None:
    with pytest.raises(UserError, match="is not a web address"):
        download(url, target)
    assert not target.parent.exists()


# --- the disk ---------------------------------------------------------------------------------


def test_a_full_disk_is_reported(web: WebServer, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).symlink_to("/dev/full")
    message = refusal(web, target)
    assert f"{target} cannot be written: the disk is full." in message
    assert "--workspace DIR" in message


@pytest.mark.parametrize(("free", "fits"), [(SIZE - 1, False), (SIZE, True)])
def test_a_file_larger_than_the_free_disk_is_not_begun(
    web: WebServer, target: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool
) -> None:
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free})
    )
    if fits:
        assert fetch(web, target).exists()
    else:
        message = refusal(web, target)
        assert "file.bin needs 10 kB more" in message
        assert "has 10 kB free" in message
        assert content_of(target.parent) == []


def test_a_folder_that_cannot_be_created_is_reported(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    message = refusal(web, tmp_path / "file" / "file.bin")
    assert "cannot be written" in message


def test_two_commands_do_not_write_the_same_file(web: WebServer, target: Path) -> None:
    leave_part(target, CONTENT[:4000])
    with locked(part_of(target), "downloading it"):
        assert "Another process is downloading file.bin" in refusal(web, target)
    assert part_of(target).read_bytes() == CONTENT[:4000]
    assert web.ranges == []


def test_a_closed_terminal_is_not_mistaken_for_a_fault_of_disk_or_network(
    web: WebServer, target: Path
) -> None:
    def show(phase: str, done: int, total: int) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        fetch(web, target, progress=show)
    assert len(web.ranges) == 1


def test_strange_names_are_shown_harmlessly(web: WebServer, tmp_path: Path) -> None:
    message = refusal(web, tmp_path / "a\x1b[31m\nb\udcff" / "file.bin", size=1)
    assert "\x1b" not in message
    assert "\udcff" not in message
    message.encode()
