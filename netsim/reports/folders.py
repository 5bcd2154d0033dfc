"""What a folder holds, told by its manifest, and the page that goes with it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from netsim import results
from netsim.errors import InputError
from netsim.reports.document import Document
from netsim.seals import MANIFEST, unsealed
from netsim.studies import engine, outcome

TRAINING = "slicetwin-training"
"""The format of what ``netsim train`` and ``netsim offline`` leave; agents are a plugin, so their code is not asked."""
WITH_REPORTS = "a report is made of a run (netsim run --out), a training (netsim train --out) or a study (netsim study)"
MOST_BYTES = 1 << 28
"""Of a JSON file that is read whole."""


def document_of(folder: Path) -> Document:
    """The report of a folder.

    Raises
    ------
    InputError
        It holds nothing that there are reports of, or what is in it is damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; {WITH_REPORTS}")
    made = _maker(folder, _format(folder))
    try:
        return made(folder)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise InputError(f"{folder} does not hold what netsim writes ({why}); a report cannot be made") from None


def _format(folder: Path) -> str | None:
    """The format of a folder's manifest, or of its ``study.json``; ``None`` where nothing has been written yet.

    Raises
    ------
    InputError
        It holds something else.
    """
    path = folder / MANIFEST
    try:
        found = unsealed(path.read_bytes()).get("format")
    except FileNotFoundError:
        found = None
    except ValueError:
        raise InputError(f"{path} is damaged, or none that netsim wrote; {WITH_REPORTS}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if found is not None:
        return str(found)
    if (folder / outcome.NAME).is_file():
        return outcome.FORMAT
    if others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise InputError(f"{folder} has no {MANIFEST}, only {', '.join(others[:5])}; {WITH_REPORTS}")
    return None


def _maker(folder: Path, found: str | None) -> Callable[[Path], Document]:
    if found is None:
        return _nothing_yet
    if found == results.KIND.format:
        from netsim.reports.run_page import run_page

        return run_page
    if found == TRAINING:
        from netsim.reports.training_page import training_page

        return training_page
    if found in (engine.KIND.format, outcome.FORMAT):
        from netsim.reports.study_page import study_page

        return study_page
    raise InputError(f"{folder} is of the format {found}, of which there is no report; {WITH_REPORTS}")


def _nothing_yet(folder: Path) -> Document:
    told = "Nothing has been written here yet. What runs into this folder may be about to begin."
    return Document("folder", folder.resolve().name, unfinished=told)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a mapping.

    Raises
    ------
    InputError
        It is not there, or is damaged.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large, {path.stat().st_size} bytes")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not isinstance(found, Mapping):
        raise InputError(f"{path} is damaged: it holds no mapping")
    return dict(found)
