"""Data acquisition (paper, section III-B): a plugin that keeps what a network did, period by period.

It keeps the configuration (the allocation), the state (arrivals, backlog) and the performance (SSR, SE, U, delay) of
each observation period in a data set that grows while runs go on.
"""

import os
from pathlib import Path
from typing import Any, Self

from netsim.errors import InputError
from netsim.files import lock
from netsim.hooks import hookimpl
from netsim.report import PeriodReport
from netsim.scenario import Scenario
from netsim.seals import written
from twin import datasets


class Recorder:
    """Appends the periods of a run to the data set in a folder.

    What was written is safe at any moment; a run that is killed loses at most the last ``every`` periods.
    """

    def __init__(self, folder: str | Path, every: int = 100, controller: str | None = None) -> None:
        """Record to a folder, which may hold a data set of the same scenario already.

        Parameters
        ----------
        folder
            The data set.
        every
            Periods that are written at a time.
        controller
            Who decides, as the data card will call it: no hook tells.
        """
        if every < 1:
            raise InputError(f"every must be at least 1 period, got {every!r}")
        self._folder, self._every, self._controller = Path(folder), every, controller
        self._waiting: list[PeriodReport] = []
        self._lock: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Keep what there is of a run that failed, and let the folder go."""
        if self._lock is not None:
            self.flush()
            self.close()

    @hookimpl
    def run_started(self, scenario: Scenario, seed: int) -> None:
        """Begin a run of its own in the data set.

        Raises
        ------
        InputError
            The folder cannot be written, somebody else records to it, or its data set is of another scenario.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._folder)
        except OSError as error:
            raise InputError(f"cannot write {self._folder}: {error.strerror or error}") from None
        manifest = datasets.manifest_of(self._folder) or self._first_manifest(scenario)
        if manifest["scenario_hash"] != scenario.hash:
            raise InputError(
                f"{self._folder} holds a data set of another scenario, {manifest['scenario']['name']!r}; "
                "record to another folder"
            )
        self._manifest, self._run = manifest, len(manifest["runs"])
        manifest["runs"].append({"run": self._run, "seed": seed, "controller": self._controller})
        self._waiting = []

    def _first_manifest(self, scenario: Scenario) -> dict[str, Any]:
        others = {path.name for path in self._folder.iterdir()} - {".lock"}
        if others:
            raise InputError(f"{self._folder} holds other files and no data set; record to another folder")
        return datasets.new_manifest(scenario)

    @hookimpl
    def period_ended(self, report: PeriodReport) -> None:
        """Keep a period."""
        self._waiting.append(report)
        if len(self._waiting) >= self._every:
            self.flush()

    @hookimpl
    def run_ended(self) -> None:
        """Write what is left and let the folder go."""
        self.flush()
        self.close()

    def flush(self) -> None:
        """Append what waits to the data set."""
        if not self._waiting:
            return
        name = f"part-{len(self._manifest['parts']):05d}.parquet"
        datasets.write_part(self._folder / name, self._run, self._waiting)
        part = {"name": name, **written(self._folder / name), "periods": len(self._waiting)}
        self._manifest["parts"].append(part)
        datasets.write_manifest(self._folder, self._manifest)
        self._waiting = []

    def close(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            (self._folder / ".lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
