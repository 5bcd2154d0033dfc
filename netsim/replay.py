"""Runs that were recorded, simulated again or side by side: do they have the same trace?

The scenario, the seed and every allocation are in a run directory, so a run can be repeated without its controller.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsim.errors import InputError, NetsimError, RunError
from netsim.fingerprint import Block, Difference, first_difference
from netsim.plugins import Named, PluginSet, attach, plugin_set, using
from netsim.provenance import differences, versions
from netsim.report import LAYERS, PeriodReport
from netsim.results import PERIODS, read_manifest, verify
from netsim.scenario import Scenario

if TYPE_CHECKING:
    from netsim.simulation import Simulation

_NOT_COMPARED = ("scenario_hash", "packets", "on_fault", "plugins", "sources")
"""What may differ between the requests of two runs without a word: no trace follows from it alone."""


@dataclass(frozen=True)
class Comparison:
    """What came of comparing two traces."""

    fingerprint: dict[str, str]
    """Of the first run."""
    periods: int
    """Periods of the first run, period 0 included."""
    against: str
    """What it was compared with."""
    difference: Difference | None
    notes: tuple[str, ...]
    """What the two were asked for differently."""

    def lines(self) -> Iterator[str]:
        """For people."""
        for layer, digest in self.fingerprint.items():
            yield f"{layer:<11} {digest}"
        yield from self.notes
        yield f"compared with {self.against}: {self.difference or f'the same in all {self.periods} periods'}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "fingerprint": self.fingerprint,
            "periods": self.periods,
            "against": self.against,
            "difference": self.difference.to_dict() if self.difference else None,
            "notes": list(self.notes),
        }


class Recorded:
    """A run directory with a trace."""

    def __init__(self, folder: str | Path) -> None:
        """Open a run directory.

        Raises
        ------
        InputError
            It is none, or its plant had no trace.
        RunError
            Its files are not those that were written.
        """
        self.folder = Path(folder)
        manifest = read_manifest(self.folder)
        if damaged := verify(self.folder):
            raise RunError("\n".join(damaged))
        if not manifest.get("fingerprint"):
            raise InputError(f"{self.folder} has no fingerprint: it was not run on the simulator, or stopped at once")
        self.fingerprint: dict[str, str] = manifest["fingerprint"]
        self.request: dict[str, Any] = manifest["request"]
        self.slice_names = tuple(self.request["scenario"]["slices"])

    @property
    def periods(self) -> int:
        """How many, period 0 included."""
        from pyarrow import parquet

        rows: int = parquet.read_metadata(self.folder / PERIODS).num_rows
        return rows // len(self.slice_names)

    def blocks(self) -> Iterator[Block]:
        """Its periods, read a row group at a time."""
        from pyarrow import parquet

        order, n = np.argsort(self.slice_names), len(self.slice_names)
        with parquet.ParquetFile(self.folder / PERIODS) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, ["period", "allocation", *(f"{layer}_mark" for layer in LAYERS)])
                periods = table["period"].to_numpy()[::n]
                units = table["allocation"].to_numpy().reshape(-1, n)
                marks = np.stack([table[f"{layer}_mark"].to_numpy() for layer in LAYERS], axis=-1)
                for i, block in enumerate(marks.reshape(-1, n, len(LAYERS))):
                    yield Block(int(periods[i]), tuple(units[i].tolist()), block[order])

    def again(self, folder: Path | None = None) -> Iterator[Block]:
        """Its periods, simulated again under the allocations that it records; ``folder`` as for :meth:`scenario`."""
        return (self.block_of(simulation, report) for simulation, report in self.played(self.scenario(folder)))

    def scenario(self, folder: Path | None = None) -> Scenario:
        """Its scenario.

        Parameters
        ----------
        folder
            Where the files are that it names; they must be the very same.
        """
        scenario = Scenario.from_dict(self.request["scenario"], folder)
        self._check_files(scenario)
        return scenario

    def played(self, scenario: Scenario) -> "Iterator[tuple[Simulation, PeriodReport]]":
        """Its periods, simulated again: the simulation at the end of each, and the period's report."""
        from netsim.simulation import Simulation

        with using(self.plugins()):
            simulation = Simulation(scenario, self.request["seed"])
        for block in self.blocks():
            yield simulation, simulation.reset() if block.period == 0 else simulation.step(block.allocation)

    def block_of(self, simulation: "Simulation", report: PeriodReport) -> Block:
        """What the trace holds of a period just simulated."""
        return Block(report.period, report.allocation, simulation.marks()[np.argsort(self.slice_names)])

    def plugins(self) -> PluginSet:
        """The plugins among which it looked names up."""
        return plugin_set(self._plugins())

    def _plugins(self) -> Iterator[Named]:
        """The plugins named for the run, which may offer what the scenario names; objects cannot be made again."""
        for spec in self.request["plugins"]:
            with suppress(NetsimError):
                yield attach(spec)

    def _check_files(self, scenario: Scenario) -> None:
        different = differences(self.request["files"], scenario.files(), "files")
        if different:
            where = scenario.folder or "no folder was given"
            raise InputError(
                f"{self.folder}: its scenario names files that are not the same in --folder ({where}), or modules "
                "that are not the same where Python finds them:\n" + "\n".join(different)
            )


def compared(folder: str | Path, other: str | Path | None = None, files: str | Path | None = None) -> Comparison:
    """Compare a run with another one, or with itself simulated again.

    Parameters
    ----------
    folder, other
        Run directories.
    files
        The folder of the files that the scenario names, where it is simulated again.

    Raises
    ------
    InputError
        A folder is no run directory with a trace, the files are not those of the run, or two runs have other slices.
    RunError
        The files of a run are not those that were written.
    """
    one = Recorded(folder)
    if other is None:
        against, blocks = "the run simulated again", one.again(None if files is None else Path(files))
        notes = differences(one.request["versions"], versions(), "versions", ("then", "now"))
    else:
        two = Recorded(other)
        if sorted(two.slice_names) != sorted(one.slice_names):
            raise InputError(f"{one.folder} and {two.folder} have different slices, their traces cannot be compared")
        against, blocks = str(two.folder), two.blocks()
        notes = differences(_compared_part(one), _compared_part(two), "", ("in the one", "in the other"))
    difference = first_difference(one.blocks(), blocks, one.slice_names)
    return Comparison(one.fingerprint, one.periods, against, difference, tuple(notes))


def _compared_part(run: Recorded) -> dict[str, Any]:
    return {key: value for key, value in run.request.items() if key not in _NOT_COMPARED}
