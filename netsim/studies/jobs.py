"""The folder of a job: what says that it is finished, by whom it is held, and what of it depends on the clock.

``NAME/out`` is what the command writes, ``NAME/result.json`` what a command without a folder of its own printed,
``NAME/log.txt`` what it said. The sealed ``NAME/manifest.json`` comes last and names all files with their SHA-256: with
it the job is finished, without it it is not, whatever was killed when.
"""

import functools
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.errors import InputError, ScenarioError
from netsim.files import lock, sha256, sync_folder, to_json, write_atomic
from netsim.provenance import differences, versions
from netsim.seals import MANIFEST, Kind, intact, written
from netsim.studies.commands import WRITTEN, can_resume
from netsim.studies.plan import OUT, Job

if TYPE_CHECKING:
    from netsim.scenario import Scenario

KIND = Kind("netsim-study-job", 1, "run of a study", "folder of a study's run", "remove its folder to run it again")
LOG, TIME = "log.txt", "time.json"
NUMBERS = "numbers.json"
"""In the place of what the command wrote, where the run was made elsewhere: see :mod:`netsim.studies.kept`."""
OF_THE_CLOCK = frozenset({"timing.json", "tensorboard", LOG, TIME})
"""Names of what is not the same from one time to another, and stands in no manifest of a job."""
_CODE = re.compile(r"[^\s|={},:]+\.py(?=:)")


def seal(folder: Path, command: Sequence[str]) -> None:
    """Mark a job finished."""
    files = {str(path.relative_to(folder).as_posix()): written(path) for path in results(folder)}
    for path in results(folder):
        make_durable(path)
    KIND.write(folder, {**asked_of(command), "files": files})


def asked_of(command: Sequence[str]) -> dict[str, Any]:
    """What decides a result: the command, the files that it names, and the versions."""
    return {"command": list(command), "inputs": dict(_inputs(command)), "versions": versions("torch")}


def _inputs(command: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Name and SHA-256 of scenario files, of the files that they name, and of controllers in files."""
    for word in command:
        path = Path(word)
        if word.endswith((".yaml", ".yml")) and path.is_file():
            digest = sha256(path)
            yield word, digest
            scenario = _scenario(path, digest)
            for name, its in (scenario.files() if scenario is not None else {}).items():
                yield str(path.parent / name), its
        for name in _CODE.findall(word):
            if Path(name).is_file():
                yield name, sha256(Path(name))


@functools.lru_cache(64)
def _scenario(path: Path, digest: str) -> "Scenario | None":
    """What a file of a SHA-256 says; ``None`` if it is no scenario, which the command will find out."""
    from netsim.loading import load_scenario

    try:
        return load_scenario(path)
    except ScenarioError:
        return None


def make_durable(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def results(folder: Path) -> Iterator[Path]:
    """The files that make a job's result, in the order of their names: the same bytes wherever it ran."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts != (MANIFEST,) and not any(_of_the_clock(part) for part in parts):
            yield path


def _of_the_clock(name: str) -> bool:
    return name in OF_THE_CLOCK or name.startswith(".")


def finished(folder: Path, job: Job) -> bool:
    """Whether a job has been done, and all that it left is there as it was written.

    Raises
    ------
    InputError
        The folder holds another job, as when the study file, a scenario or netsim has changed.
    """
    try:
        manifest = KIND.read_if_there(folder)
    except InputError:
        return False  # damaged: it is run again
    if manifest is None:
        return False
    asked = asked_of(job.command)
    if different := differences({name: manifest.get(name) for name in asked}, asked):
        told = "\n".join(different)
        raise InputError(f"{folder} holds another run of this name:\n{told}\ngive another --out, or remove the folder")
    return all(intact(folder / name, kept) for name, kept in manifest["files"].items())


def take(folder: Path) -> int | None:
    """Hold a job's folder against others until the descriptor is closed by all who have it; ``None`` if it is held."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return lock(folder)
    except InputError:
        return None


def prepare(folder: Path, job: Job) -> None:
    """Leave of an unfinished job only what its command goes on with; nothing of one that was finished and damaged."""
    if (folder / MANIFEST).exists() or not can_resume(job):
        discard(folder)
    for name in (WRITTEN, NUMBERS):
        (folder / name).unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove what a job has left, and last the seal that says so."""
    shutil.rmtree(folder / OUT, ignore_errors=True)
    for name in (WRITTEN, NUMBERS, TIME, MANIFEST):
        (folder / name).unlink(missing_ok=True)


def seconds_of(folder: Path) -> float | None:
    """How long a job took, all beginnings that were gone on with together; ``None`` if that is not known."""
    try:
        return float(_time(folder)["seconds"])
    except (KeyError, TypeError, ValueError):
        return None


def made_of(folder: Path) -> dict[str, str | None]:
    """The commit and the processor that made what a job left, as far as they are known."""
    time = _time(folder)
    return {name: time.get(name) for name in ("commit", "processor")}


def keep_time(folder: Path, seconds: float, made: Mapping[str, str | None]) -> None:
    """Keep how long a job took, and of which commit and on what."""
    write_atomic(folder / TIME, to_json({"seconds": round(seconds, 3), **made}))


def _time(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / TIME).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def log_size(folder: Path) -> int:
    """Bytes of what a job has said so far."""
    try:
        return (folder / LOG).stat().st_size
    except OSError:
        return 0


def complaint(folder: Path, since: int = 0) -> str:
    """The last thing a job said, after so many bytes that it had said before."""
    try:
        lines = (folder / LOG).read_bytes()[since:].decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.startswith("netsim: error:")]
    return (told or lines or ["it said nothing"])[-1].removeprefix("netsim: error: ")
