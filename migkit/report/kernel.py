"""Run a notebook in a kernel of this very interpreter, whatever kernels are installed and whatever they are called."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migkit.errors import MissingExtra, ReportFailed
from migkit.redaction import redact

START_SECONDS = 60
CELL_SECONDS = 120
SOCKET_PATH_LIMIT = 90  # the system's limit is about 104, and a port number follows

_LAST_LINES = 3


def execute(notebook: Path, parameters: Mapping[str, Any], folder: Path) -> Any:
    """Execute a notebook with its working directory in `folder`; nothing is written to disk.

    Parameters
    ----------
    notebook : Path
        The template.
    parameters : mapping
        Plain JSON values; every one has to be known to the template.
    folder : Path
        Where the kernel stands.

    Returns
    -------
    nbformat.NotebookNode
        The executed notebook: every code cell ran to its end without an error.

    Raises
    ------
    MissingExtra
        If papermill or the kernel is not installed.
    ReportFailed
        If a cell failed, the kernel died, or time ran out.
    """
    try:
        import ipykernel  # noqa: F401
        import papermill
    except ImportError as error:
        raise MissingExtra(error.name or "papermill", "notebook", "Rendering a report") from None
    with tempfile.TemporaryDirectory(prefix="migkit-kernel-") as scratch, _quiet():
        try:
            executed = papermill.execute_notebook(
                str(notebook),
                None,
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_SECONDS,
                execution_timeout=CELL_SECONDS,
                kernel_manager_class=_manager_class(Path(scratch)),
                resources={"metadata": {"path": str(folder)}},
            )
        except Exception as error:
            raise _explain(error, notebook) from error
    _require_complete(executed, notebook)
    return executed


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the notebook libraries warn about themselves; warnings of cells show in the notebook."""
    with warnings.catch_warnings():
        for module in ("papermill", "nbclient", "jupyter_client", "ipykernel", "zmq", "traitlets", "nbformat"):
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        warnings.filterwarnings("ignore", message=r".*Proactor event loop.*")
        yield


def _manager_class(scratch: Path) -> type[Any]:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    spec = KernelSpec(
        argv=[
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--HistoryManager.enabled=False",
            "--IPKernelApp.log_level=50",  # being interrupted while it stops is no error
        ],
        display_name="Python 3",
        language="python",
        # A profile of its own: nobody's start-up scripts and settings run inside a report.
        env={"IPYTHONDIR": str(scratch / "ipython"), "MPLBACKEND": "agg"},
    )

    class OwnKernelManager(AsyncKernelManager):
        """Starts the interpreter that runs migkit."""

        def __init__(self, **settings: Any) -> None:
            socket = scratch / "kernel"
            # Sockets in a private folder: no port to race for, nothing for other users to listen to.
            if os.name == "posix" and len(str(socket)) < SOCKET_PATH_LIMIT:
                settings |= {"transport": "ipc", "ip": str(socket)}
            super().__init__(connection_file=f"{socket}.json", **settings)
            if self.transport == "tcp" and self.has_trait("transport_encryption"):
                self.transport_encryption = "auto"

        @property
        def kernel_spec(self) -> KernelSpec:
            """The one kernel there is."""
            return spec

    return OwnKernelManager


def _explain(error: Exception, notebook: Path) -> ReportFailed:
    told = [line.strip() for line in redact(str(error)).splitlines() if line.strip()]
    return ReportFailed(
        f"The report notebook did not run to its end: {type(error).__name__}: {' '.join(told[-_LAST_LINES:])[:600]}",
        where=str(notebook),
        next_step="The evidence is kept; render it again with: migkit report FOLDER",
    )


def _require_complete(executed: Any, notebook: Path) -> None:
    """Refuse a notebook that stopped early: a dead kernel or an exit in a cell can look completed."""
    for number, cell in enumerate(executed.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed or cell.execution_count is None:
            raise ReportFailed(
                f"Cell {number + 1} of the report notebook did not run to its end",
                where=str(notebook),
                next_step="The evidence is kept; render it again with: migkit report FOLDER",
            )
