"""The page of a training."""

from pathlib import Path

from netsim.reports.document import Document
from netsim.reports.folders import TRAINING
from netsim.seals import Kind

KIND = Kind(TRAINING, 1, "training", "training", reader="version")


def training_page(folder: Path) -> Document:
    """What a training's folder says."""
    manifest = KIND.read(folder)
    request = manifest["request"]
    return Document(
        kind="training",
        title=f"{request['scenario']['name']}, {request['agent']}",
        lead=f"Seed {request['seed']}.",
        unfinished="" if manifest["finished"] else "The training is going on, or was stopped before its end.",
    )
