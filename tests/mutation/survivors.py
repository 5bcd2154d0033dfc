"""The mutants that the suite does not kill, each with its reason: ``survivors.toml``."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Survivor:
    """A mutant that lives. ``equivalent``: no input makes a difference that anybody could see."""

    module: str
    function: str
    before: str
    after: str
    equivalent: bool
    reason: str

    @property
    def key(self) -> str:
        return f"{self.module}:{self.function}:{self.before} -> {self.after}"


def read() -> dict[str, Survivor]:
    """The listed survivors by their keys."""
    found = [Survivor(**entry) for entry in tomllib.loads(FILE.read_text()).get("survivor", [])]
    return {survivor.key: survivor for survivor in found}
