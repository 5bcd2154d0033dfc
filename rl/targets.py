"""What ``netsim evaluate`` plays: the folder of a training, a student or a run, or any controller by its name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netsim import results
from netsim.errors import InputError
from netsim.plugins import PluginSet, attach, plugin_set, using
from netsim.provenance import source_digest
from netsim.scenario import Scenario
from netsim.seals import MANIFEST, format_of
from rl import records, students
from rl.policy import called, scenario_of

CONTROLLERS = {records.KIND.format: "agent", students.KIND.format: "student"}
"""Format of a folder -> the controller that plays what was learned in it."""


@dataclass(frozen=True)
class Target:
    """A controller to play, and the folder that it was found in if it was."""

    controller: str
    folder: Path | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    """What the folder's training or run was asked for."""
    agent: str | None = None
    """What was trained in the folder; nothing was in that of a run."""

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that were named for the run; they may offer what its scenario and controller name."""
        return tuple(self.request.get("plugins", ()))

    def scenario(self, overrides: Sequence[str] = ()) -> Scenario:
        """What it was trained on or run on, its own overrides included, with further ones.

        Raises
        ------
        InputError
            No folder was given, or the one of a run whose scenario names files.
        """
        if self.folder is None:
            raise InputError(
                f"{self.controller!r} is no folder of a training, a student or a run; for a controller give "
                "--scenario NAME too"
            )
        scenario = scenario_of(self.request) if self.agent is not None else self._of_run()
        if not overrides:
            return scenario
        from netsim.loading import dump_scenario, parse_scenario

        return parse_scenario(dump_scenario(scenario), f"scenario of {self.folder}", overrides, folder=scenario.folder)

    def _of_run(self) -> Scenario:
        if self.request["files"]:  # a run keeps what was in them, and not where they are
            names = ", ".join(self.request["files"])
            raise InputError(f"{self.folder}: its scenario names files ({names}); give it too, with --scenario FILE")
        return Scenario.from_dict(self.request["scenario"])


def target_of(text: str) -> Target:
    """What a text stands for, a folder or the name of a controller.

    Raises
    ------
    InputError
        The folder holds neither a training, a student nor a run, or a run that cannot be played again.
    """
    folder = Path(text)
    if not folder.is_dir():
        return Target(text)
    found = format_of(folder)
    if found == results.KIND.format:
        return _run(folder)
    if found is not None and found not in CONTROLLERS:
        raise InputError(f"{folder} holds no training, no student and no run: the format of its {MANIFEST} is {found}")
    kind = students.KIND if found == students.KIND.format else records.KIND
    request = kind.read(folder)["request"]
    return Target(f"{CONTROLLERS[kind.format]}:{folder}", folder, request, called(request))


def _run(folder: Path) -> Target:
    request = results.read_manifest(folder)["request"]
    target = Target(request["controller"], folder, request)
    for spec, digest in request["sources"].items():
        _refuse_other_code(target, spec, digest)
    for spec in target.plugins:
        if PluginSet([attach(spec)]).implementers("decide_allocation"):
            raise InputError(
                f"{folder}: its plugin {spec!r} decides too, and controllers are evaluated alone; play one of the two: "
                f"netsim evaluate {spec} --scenario SCENARIO"
            )
    return target


def _refuse_other_code(target: Target, spec: str, digest: str) -> None:
    """Refuse a controller or plugin whose code is gone, or another one than was run: the figures would be others'."""
    where, now = spec.rpartition(":")[0], source_digest(spec)
    noun = "file" if where.endswith(".py") else "module"
    what = f"the {noun} {where} of its {'controller' if spec in target.controller else 'plugin'} {spec!r}"
    if now is None:
        raise InputError(
            f"{target.folder}: {what} is not there; call this from the folder that the run was called from, or put the "
            f"{noun} back"
        )
    if now != digest:
        raise InputError(
            f"{target.folder}: {what} is not the one that was run; put that one back, or play the controller as it is "
            f"now: netsim evaluate {target.controller} --scenario SCENARIO"
        )


def loaded(targets: Sequence[Target], scenario: str | None, overrides: Sequence[str]) -> Scenario:
    """The scenario that is named, else that of the first target, among the plugins of all.

    Raises
    ------
    InputError, ScenarioError
        There is none, or it is wrong.
    """
    from netsim.loading import load_scenario

    with using(plugin_set(map(attach, plugins_of(targets)))):
        return targets[0].scenario(overrides) if scenario is None else load_scenario(scenario, overrides)


def plugins_of(targets: Iterable[Target]) -> tuple[str, ...]:
    """The plugins that were named for any of them, each once."""
    return tuple(dict.fromkeys(spec for target in targets for spec in target.plugins))
