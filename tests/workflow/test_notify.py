"""People are told how a deploy ended, and what became of one that was killed; receivers are local."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from migkit.config import Config
from migkit.database import Database
from migkit.progress import SILENT
from migkit.workflow.recover import recover
from tests.workflow.deploys import GOOD, LOSING, deployed, shop
from tests.workflow.test_recover import killed

Heard = list[dict[str, str]]


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.socket.getsockname()[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver() -> Iterator[tuple[str, Heard]]:
    """A web server that takes notifications."""
    heard: Heard = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _serving(HTTPServer(("127.0.0.1", 0), Ear)) as port:
        yield f"json://127.0.0.1:{port}/tok3n-of-the-receiver", heard


@pytest.fixture
def mailbox() -> Iterator[tuple[str, list[str]]]:
    """A mail server (RFC 5321, as much of it as a client needs) that keeps what it is sent."""
    mails: list[str] = []

    class Postman(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say(220)
            for line in iter(self.rfile.readline, b""):
                verb = line[:4].upper()
                self._say({b"DATA": 354, b"QUIT": 221}.get(verb, 250))
                if verb == b"DATA":
                    mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self._say(250)
                elif verb == b"QUIT":
                    return

        def _say(self, code: int) -> None:
            self.wfile.write(f"{code} local\r\n".encode())

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postman)) as port:
        yield f"mailto://127.0.0.1:{port}/team@example.org?from=migkit@example.org&mode=insecure", mails


def test_people_are_told(
    sqlite: Database, tmp_path: Path, receiver: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, heard = receiver
    monkeypatch.setenv("TEAM_URL", url)
    shop(sqlite)
    told = {"on_success": ["env:TEAM_URL"], "on_rollback": [url], "on_failure": [url]}
    good = deployed(sqlite, tmp_path, GOOD, notifications=told)
    assert good.passed
    assert deployed(sqlite, tmp_path, LOSING, notifications=told).status == "rolled back"
    assert not good.undelivered
    assert [one["title"].rpartition(": ")[2] for one in heard] == ["deployed", "rolled back"]
    assert "lost 1 row" in heard[1]["message"]


def test_people_get_mail(sqlite: Database, tmp_path: Path, mailbox: tuple[str, list[str]]) -> None:
    url, mails = mailbox
    result = deployed(shop(sqlite), tmp_path, GOOD, notifications={"on_success": [url]})
    assert not result.undelivered
    (mail,) = mails
    assert "To: team@example.org" in mail
    assert "deployed" in mail


@pytest.mark.slow
def test_people_are_told_of_what_was_recovered(sqlite: Database, tmp_path: Path, receiver: tuple[str, Heard]) -> None:
    url, heard = receiver
    killed(shop(sqlite), tmp_path, GOOD, "worked", "run")
    config = Config.model_validate({"notifications": {"on_recovery": [url]}})
    assert recover(config, roots=(tmp_path / "reports",), db=sqlite, progress=SILENT).passed
    assert [one["title"].rpartition(": ")[2] for one in heard] == ["recovered, deployed"]


def test_what_cannot_be_delivered_is_reported_and_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    secret = "xoxb-1234567890-secret"
    urls = [f"json://127.0.0.1:1/{secret}", "env:NOT_SET_ANYWHERE", "nonsense"]
    result = deployed(shop(sqlite), tmp_path, GOOD, notifications={"on_success": urls})
    assert result.passed
    assert len(result.undelivered) == 3
    assert result.evidence is not None
    everything = repr(result) + "".join(path.read_text() for path in result.evidence.iterdir())
    assert secret not in everything
