"""The page of a study."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netsim.console import number
from netsim.errors import InputError
from netsim.reports.document import Document, Fact, Section, Table
from netsim.reports.folders import read_json
from netsim.reports.study_figures import VERDICTS, effects, figures_of
from netsim.reports.study_jobs import Jobs
from netsim.reports.words import flat, significant
from netsim.studies.engine import JOBS, KIND
from netsim.studies.figures import LEDGER
from netsim.studies.outcome import FORMAT, NAME, VERSION

NOT_CONCLUDED = "The study is going on, or was stopped: nothing has been concluded yet. `--resume` goes on with it."
HOW = (
    "A claim holds if the 95 % interval of its paired differences is above its margin, fails if it is below, and is "
    "undecided otherwise. One in twenty claims about two sides that do not differ is decided by chance; p after Holm "
    "allows for the number of claims."
)


def study_page(folder: Path) -> Document:
    """What a study's folder says."""
    jobs = Jobs.read(folder / JOBS)
    if not (folder / NAME).is_file():
        name = KIND.read(folder)["study"]
        return Document("study", name, "", NOT_CONCLUDED, facts=jobs.facts(), sections=list(jobs.sections()))
    found = read_json(folder / NAME)
    if (found["format"], found["format_version"]) != (FORMAT, VERSION):
        raise InputError(f"{folder / NAME} is not of the format {FORMAT} version {VERSION}; carry the study out again")
    runs = found["runs"]
    missing = runs["planned"] - runs["finished"]
    going_on = f"{runs['finished']:,} of {runs['planned']:,} runs are finished; `--resume` goes on with the others."
    if anew := jobs.begun and jobs.finished < runs["finished"]:
        going_on = "The study was begun anew. What is concluded here is of the one before."
    return Document(
        kind="study",
        title=found["study"],
        lead=" ".join(found["description"].split()),
        unfinished=going_on if missing or anew else "",
        warnings=[f"The run {name} failed: {why}" for name, why in runs["failed"].items()],
        facts=list(_facts(found)),
        sections=[*_sections(found), *(jobs.sections() if missing or anew else ())],
        made=_made(found),
    )


def _facts(found: Mapping[str, Any]) -> Iterator[Fact]:
    runs, claims = found["runs"], found["claims"]
    yield Fact("Runs finished", f"{runs['finished']:,} of {runs['planned']:,}")
    for verdict, said in VERDICTS.items():
        count = sum(claim["verdict"] == verdict for claim in claims)
        if claims:
            yield Fact(f"Claims that {said}", str(count), f"of {len(claims)}")


def _sections(found: Mapping[str, Any]) -> Iterator[Section]:
    if found["claims"]:
        yield Section("claims", "Claims", [HOW], [_claims(found["claims"])], effects(found["claims"]))
    if found["figures"]:
        yield Section("figures", "Figures", [BANDS], figures=figures_of(found))
    if found["measures"]:
        yield Section("numbers", "Numbers", tables=[_numbers(name, each) for name, each in found["measures"].items()])
    yield Section("ledger", "Ledger", tables=[_ledger(found["groups"])])


BANDS = (
    "Interquartile means over runs, with 95 % intervals by bootstrap. How many runs each is of stands beside its name."
)


# -- tables ------------------------------------------------------------------------------------------------------------


def _claims(claims: Sequence[Mapping[str, Any]]) -> Table:
    """What decides comes first, in the order of the two lines of a row: a screen reader reads as the eye does."""
    headings = ["claim", "verdict", "effect", "95 % interval", "in words", "margin", "pairs", "p", "p, Holm"]
    rows = [_claim(place, claim) for place, claim in enumerate(claims, 1)]
    return Table("Claims and what the runs say about them", headings, rows, frozenset({1, 4}), "claims")


def _claim(place: int, claim: Mapping[str, Any]) -> list[str]:
    return [
        f"{place}. {claim['claim']}",
        claim["verdict"],
        significant(claim["effect"]),
        _ends(claim["ci95"]),
        claim["says"] or "",
        significant(claim["margin"]),
        str(claim["pairs"]),
        f"{claim['p']:.3g}",
        f"{claim['p_holm']:.3g}",
    ]


def _ends(ends: Sequence[float | None] | None) -> str:
    return "-" if ends is None else f"{significant(ends[0])} to {significant(ends[1])}"


def _numbers(measure: str, groups: Mapping[str, Any]) -> Table:
    rows = [[group, str(each["runs"]), *_middle(each)] for group, each in groups.items()]
    return Table(measure.replace("_", " "), ["group", "runs", "interquartile mean", "95 % interval"], rows)


def _middle(numbers: Mapping[str, Any]) -> tuple[str, str]:
    """Middle and interval of a group; of times the restricted mean, and how many runs got there."""
    if "level" in numbers:
        reached = f"{numbers['reached']} of {numbers['runs']} reached {significant(numbers['level'])}"
        return f"{number(numbers['restricted_mean'], 0)} (restricted mean)", reached
    return significant(numbers["iqm"]), _ends(numbers["ci95"])


def _ledger(groups: Mapping[str, Any]) -> Table:
    headings = ["a run of", "finished", *(name.replace("_", " ") for name in LEDGER), "seconds", "command"]
    rows = [
        [
            name,
            f"{group['runs']} of {group['planned']}",
            *("-" if name not in group["ledger"] else f"{group['ledger'][name]:,.0f}" for name in LEDGER),
            significant(group["seconds"]),
            group["command"],
        ]
        for name, group in groups.items()
    ]
    return Table("What a run of each group spent, on average", headings, rows, frozenset({len(headings) - 1}))


def _made(found: Mapping[str, Any]) -> dict[str, str]:
    made = found["made"]
    machine = made["machine"]
    return {
        "command": made["command"],
        "parameters": ", ".join(f"{name} {value}" for name, value in found["parameters"].items()),
        "commit": made["commit"] or "unknown",
        "machine": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in flat(machine)),
    }
