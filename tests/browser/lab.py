"""A JupyterLab of the tests' own, and a notebook in it, used the way a person would: with mouse, keyboard and eyes."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from tests.servers.process import Process, free_port, start

# One word for "long enough on a machine that does other things, too"; nothing is ever waited for without a condition.
PATIENCE_SECONDS = 120
PATIENCE_MS = PATIENCE_SECONDS * 1_000

SCREENSHOTS = Path(__file__).parent / "screenshots"

_SETTINGS = {
    # Nothing is fetched from anywhere, and nothing asks.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "full"},
}


@dataclass
class Web:
    """A server of pages on loopback."""

    process: Process
    url: str
    token: str
    folder: Path

    def stop(self) -> None:
        """End the server, and with it its kernels."""
        self.process.stop()


def start_lab(folder: Path) -> Web:
    """Start JupyterLab over a folder; its settings, kernels' profiles and runtime files are private."""
    folder.mkdir(parents=True, exist_ok=True)
    private = folder.parent / f"{folder.name}-private"
    _write_settings(private / "settings")
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *_environment(private),
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]
    return _started(command, private / "lab.log", f"http://127.0.0.1:{port}", token, folder, "/api/status")


def start_voila(notebook: Path, private: Path, folder: Path) -> Web:
    """Serve a notebook as a page with Voila, its kernel standing in a folder."""
    port = free_port()
    private.mkdir(parents=True, exist_ok=True)
    command = [
        *_environment(private),
        f"MIGKIT_CONFIG={folder / 'migkit.toml'}",
        sys.executable,
        "-m",
        "voila",
        "--no-browser",
        f"--port={port}",
        "--Voila.ip=127.0.0.1",
        str(notebook),
    ]
    return _started(command, private / "voila.log", f"http://127.0.0.1:{port}", "", folder, "/static/voila.js")


def _environment(private: Path) -> list[str]:
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    for name in folders.values():
        (private / name).mkdir(parents=True, exist_ok=True)
    return ["env", *(f"{variable}={private / name}" for variable, name in folders.items())]


def _write_settings(folder: Path) -> None:
    for name, settings in _SETTINGS.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")


def _started(command: Sequence[str], log: Path, url: str, token: str, folder: Path, probe: str) -> Web:
    process = start(command, log=log, stop_signal=signal.SIGTERM)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}{probe}?token={token}", timeout=5) as answer:
                return bool(answer.status < 500)
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False

    process.wait_until(answers)
    return Web(process, url, token, folder)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition outside of the browser, and return what it gave."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain until {what}")


@dataclass
class Notebook:
    """A notebook open in a browser."""

    page: Any
    lab: Web
    name: str
    strangers: list[str] = field(default_factory=list)

    def open(self, cells: Sequence[str], *, dark: bool = False) -> Notebook:
        """Write the notebook and open it with a kernel of its own."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.lab.folder / self.name)
        return self.show(dark=dark)

    def show(self, *, dark: bool = False) -> Notebook:
        """Open the notebook that is there already."""
        self.page.goto(f"{self.lab.url}/lab/tree/{self.name}?reset&token={self.lab.token}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=PATIENCE_MS)
        self.theme("JupyterLab Dark" if dark else "JupyterLab Light")
        self.wait_idle()
        return self

    def theme(self, name: str) -> None:
        """Choose a theme, as the settings menu does."""
        self.command("apputils:change-theme", theme=name)
        wanted = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{wanted}"]', timeout=PATIENCE_MS, state="attached")

    def command(self, name: str, **arguments: Any) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate("([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments])

    def menu(self, *path: str) -> None:
        """Choose an entry of the menu bar."""
        self.page.get_by_role("menuitem", name=path[0], exact=True).click()
        for entry in path[1:]:
            self.page.locator(".lm-Menu-item", has_text=entry).first.click()

    def wait_idle(self) -> None:
        """Wait until the kernel is connected and does nothing."""
        self.page.wait_for_function(
            """() => {
                const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
                return kernel && kernel.connectionStatus === "connected" && kernel.status === "idle";
            }""",
            timeout=PATIENCE_MS,
        )

    def cell(self, number: int) -> Any:
        """The cell, counted from 0."""
        return self.page.locator(f'.jp-NotebookPanel .jp-Cell[data-windowed-list-index="{number}"]')

    def start(self, number: int) -> None:
        """Run a cell with Ctrl+Enter, without waiting for it."""
        self.cell(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int) -> Any:
        """Run a cell to its end, and return its output."""
        before = self.count(number)
        self.start(number)
        self.wait_count(number, before)
        return self.output(number)

    def run_all(self) -> None:
        """Run all cells with the menu, and wait for the last one."""
        self.menu("Run", "Run All Cells")
        last = self.page.locator(".jp-NotebookPanel .jp-CodeCell").count() - 1
        self.wait_count(last, "[ ]:")
        self.wait_idle()

    def count(self, number: int) -> str:
        """What stands in the brackets before the cell."""
        return str(self.cell(number).locator(".jp-InputPrompt").inner_text()).strip() or "[ ]:"

    def wait_count(self, number: int, before: str) -> None:
        """Wait until the cell has run, to its end or to an error."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            text = prompt.inner_text().strip()
            if text and text != before and text not in ("[ ]:", "[*]:"):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"cell {number} did not end in {PATIENCE_SECONDS} s: {self.output(number).inner_text()}")

    def output(self, number: int) -> Any:
        """What stands under the cell."""
        return self.cell(number).locator(".jp-OutputArea").first

    def picture(self, name: str) -> Path:
        """Where a picture to be looked at is kept."""
        SCREENSHOTS.mkdir(exist_ok=True)
        return SCREENSHOTS / f"{name}.png"

    def screenshot(self, name: str, number: int | None = None) -> Path:
        """Keep a picture of a cell's output, or of the page."""
        path = self.picture(name)
        target = self.page if number is None else self.output(number)
        target.screenshot(path=path)
        return path
