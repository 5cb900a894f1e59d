"""A bucket on loopback: Google's storage as gcp-storage-emulator serves it, behind a connection with faults."""

import http.client
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from gcp_storage_emulator.server import create_server

from sparta_core.data import remote

Fault = Callable[["Connection", bytes, dict[str, str]], None]


class Connection(BaseHTTPRequestHandler):
    """Hands each request on, and of every answer what `faults` leave of it."""

    protocol_version = "HTTP/1.1"
    upstream: int
    faults: dict[str, list[Fault]]  # by what a path contains: of its answers the first, the second, ...
    asked: Counter[str]

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.asked[path] += 1
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream)
        upstream.request("GET", self.path, headers={k: v for k, v in self.headers.items() if k != "Host"})
        answer = upstream.getresponse()
        body, headers = answer.read(), {"Content-Type": answer.getheader("Content-Type", "")}
        for part, faults in self.faults.items():
            if part in path and faults:
                return faults.pop(0)(self, body, headers)
        self.answer(answer.status, body, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body) if length is None else length)}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def reset(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close_connection = True
    connection.connection.close()


def busy(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    connection.answer(503, b"busy", headers)


def slow(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    connection.answer(200, b"", headers, len(body))
    for start in range(0, len(body), len(body) // 10 + 1):
        connection.wfile.write(body[start : start + len(body) // 10 + 1])
        time.sleep(0.05)


def stalled(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    """What was announced comes after the reader has given up."""
    connection.answer(200, b"", headers, len(body))
    time.sleep(3)
    connection.close_connection = True


def broken_off(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    """Half of what was announced."""
    connection.answer(200, body[: len(body) // 2], headers, len(body))
    connection.close_connection = True


def cut_short(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    """Half, and nothing that says so."""
    connection.answer(200, body[: len(body) // 2], headers)


def whole(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    connection.answer(200, body, headers)


def missing(connection: Connection, body: bytes, headers: dict[str, str]) -> None:
    connection.answer(404, b"{}", headers)


@contextmanager
def bucket(folder: Path) -> Iterator[type[Connection]]:
    """gs://weather, with all files below `folder`; its `faults` and what was `asked` of it."""
    emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket="weather")
    emulator.start()
    port = emulator._api._httpd.socket.getsockname()[1]
    _upload(folder, port)
    connection = type("FaultyConnection", (Connection,), {"upstream": port, "faults": {}, "asked": Counter()})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), connection)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    before, opening = dict(os.environ), remote.OPENING
    remote.OPENING = 120.0  # it answers on the cores that all other tests are on
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{proxy.server_address[1]}"
    try:
        yield connection
    finally:
        os.environ.clear()
        os.environ.update(before)
        remote.OPENING = opening
        proxy.shutdown()
        emulator.stop()


def _upload(folder: Path, port: int) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        request = http.client.HTTPConnection("127.0.0.1", port)
        request.request("PUT", f"/weather/{name}", path.read_bytes(), {"Content-Type": "application/octet-stream"})
        answer = request.getresponse()
        assert answer.status == 200, (name, answer.status, answer.read())
