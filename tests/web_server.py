"""A local web server that misbehaves on request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from waiting import GUARD


@dataclass
class WebServer:
    """Serves `files` by path; each entry of `faults` affects one request, in order.

    Faults: "hang up" before a response; "stall" after the headers; ("drop", n) after n bytes of
    the body; "no ranges"; "no length"; ("status", code, {header: value}).
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    etag: str = '"first"'
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


@contextmanager
def web_server() -> Iterator[WebServer]:
    web = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Print nothing."""

        def do_GET(self) -> None:
            web.ranges.append(self.headers["Range"])
            fault: Any = web.faults.pop(0) if web.faults else ""
            if fault == "hang up":
                return
            if fault[:1] == ("status",):
                self.head(fault[1], fault[2])
                return
            content = web.files.get(self.path.lstrip("/"))
            if content is None:
                self.head(404, {})
                return
            self.send_content(content, fault)

        def send_content(self, content: bytes, fault: Any) -> None:
            start = 0
            requested = self.headers["Range"]
            same = self.headers["If-Range"] in (None, web.etag)
            if requested and same and fault != "no ranges":
                start = int(requested.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content) > 0:
                self.head(416, {"Content-Range": f"bytes */{len(content)}"})
                return
            body = content[start:]
            head = {"Content-Length": str(len(body)), "ETag": web.etag}
            if fault == "no length":
                del head["Content-Length"]
            if start:
                head["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206 if start else 200, head)
            if fault == "stall":
                self.wfile.flush()
                web.closing.wait(GUARD)
            elif fault[:1] == ("drop",):
                self.wfile.write(body[: fault[1]])
            else:
                self.wfile.write(body)

        def head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
