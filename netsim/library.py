"""What ships with netsim: scenarios and studies, by name. Light, because the shell asks for the names on every Tab."""

from pathlib import Path


def library() -> Path:
    """The folder of shipped scenarios: installed within netsim, in a checkout beside it."""
    installed = Path(__file__).resolve().parent / "scenarios"
    return installed if installed.is_dir() else installed.parent.parent / "scenarios"


def scenario_names() -> tuple[str, ...]:
    """The names of the shipped scenarios."""
    return _names(library())


def study_names() -> tuple[str, ...]:
    """The names of the shipped studies."""
    return _names(library() / "studies")


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder.iterdir() if file.suffix == ".yaml"))
