"""The page of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsim.console import interval
from netsim.reports.document import Document, Fact
from netsim.reports.folders import read_json
from netsim.results import SUMMARY, read_manifest


def run_page(folder: Path) -> Document:
    """What a run directory says."""
    manifest = read_manifest(folder)
    request = manifest["request"]
    summary = read_json(folder / SUMMARY) if manifest["finished"] else None
    return Document(
        kind="run",
        title=f"{request['scenario']['name']}, {request['controller']}",
        lead=f"{request['periods']} periods decided by the controller, seed {request['seed']}.",
        unfinished="" if summary else "The run is going on, or was stopped before its end.",
        facts=[] if summary is None else _facts(summary),
    )


def _facts(summary: Mapping[str, Any]) -> list[Fact]:
    return [Fact("Utility U", interval(summary["utility"], 4))]
