"""Evidence of every kind, read back: the one place that knows which kinds there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from migkit.errors import StateUnreadable
from migkit.load.results import LoadResult
from migkit.workflow.deployment.evidence import read_deployment
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.evidence_folder import REHEARSAL, EvidenceFolder, damaged, open_evidence
from migkit.workflow.fleet_results import FLEET, FleetRehearsal, read_fleet
from migkit.workflow.load_evidence import LOAD_TEST, read_load_test
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.rehearsal_evidence import read_rehearsal

Evidence = Rehearsal | Deployment | FleetRehearsal | LoadResult

# Each reader may let a KeyError, TypeError, ValueError or AttributeError out where the manifest is not what it wrote.
READERS: Mapping[str, Callable[[EvidenceFolder], Evidence]] = {
    REHEARSAL: read_rehearsal,
    "deployment": read_deployment,
    FLEET: read_fleet,
    LOAD_TEST: read_load_test,
}


def load_evidence(path: str | Path) -> Evidence:
    """Read an evidence folder; no database is needed.

    Parameters
    ----------
    path : str or Path
        The folder, or its ``evidence.json``.

    Returns
    -------
    Rehearsal, LoadResult, Deployment or FleetRehearsal
        What it holds; what never came to its end reads as ``running``, which is not passed.

    Raises
    ------
    StateUnreadable
        If it is no evidence, a file was changed since, it says passed against what it holds, or a later version
        wrote it.
    """
    opened = open_evidence(path)
    reader = READERS.get(opened.kind)
    if reader is None:
        raise StateUnreadable(
            f"migkit knows no evidence of the kind {opened.kind!r}", where=str(opened.path), next_step="Upgrade migkit."
        )
    try:
        return reader(opened)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(opened.path, repr(error)) from None
