"""The page of a study."""

from pathlib import Path

from netsim.reports.document import Document
from netsim.reports.folders import read_json
from netsim.studies.engine import KIND
from netsim.studies.outcome import NAME


def study_page(folder: Path) -> Document:
    """What a study's folder says."""
    if not (folder / NAME).is_file():
        return Document("study", KIND.read(folder)["study"], unfinished="Its runs are going on, or were stopped.")
    found = read_json(folder / NAME)
    return Document("study", found["study"], found["description"])
