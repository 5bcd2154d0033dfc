"""Every block of every page does what the page says, and what pages name is there."""

import os
import subprocess
import sys

import pytest

from tests.docs.blocks import blocks
from tests.docs.pages import FILE, OBJECT, PAGES, ROOT, all_blocks, commands_in, exists, refusal, spans
from tests.docs.playing import check_yaml

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
PAPER = ROOT / "docs" / "paper.md"
WALKED = os.environ.get("SLICETWIN_WALKED", "").split()
"""Pages that `python -m tests.docs.walk` has just played whole, as in CI, where once is enough."""


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_few_blocks_are_left_out_and_each_says_why():
    left_out = [block for block in all_blocks() if block.left_out is not None]
    assert all(len(block.left_out.split()) >= 4 for block in left_out), "a reason is a few words"
    run = [block for block in all_blocks() if block.language in ("sh", "python") and block.left_out is None]
    assert len(left_out) < len(run) / 4


def test_netsim_accepts_every_command_also_of_blocks_that_are_left_out():
    refused = [
        f"{block.page}:{line}: {why}"
        for block in all_blocks()
        if block.language == "sh"
        for line, words in commands_in(block)
        if (why := refusal(words)) is not None
    ]
    assert refused == []


def test_what_a_text_block_shows_was_printed_by_the_block_before_it():
    for page in PAGES:
        languages = [block.language for block in blocks(page)]
        shown = [before for before, language in zip([None, *languages], languages, strict=False) if language == "text"]
        assert set(shown) <= {"sh", "python"}, page


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_scenarios_and_studies_of_pages_are_valid(page):
    for block in blocks(page):
        if block.language == "yaml" and "no-check" not in block.words and "file: " not in block.text:
            check_yaml(block)


@pytest.mark.whole
@pytest.mark.parametrize("page", [page for page in PAGES if list(blocks(page))], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_block_ends_as_its_page_says(page, tmp_path):
    if str(page.relative_to(ROOT)) in WALKED:
        pytest.skip("python -m tests.docs.walk has played it")
    command = [sys.executable, "-W", "error", "-m", "tests.docs.playing", str(page), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- names -------------------------------------------------------------------------------------------------------------


def test_every_object_and_file_that_pages_name_is_there():
    missing = [
        f"{page}:{line}: {text}"
        for page in PAGES
        for line, text in spans(page)
        if (OBJECT.fullmatch(text) and not exists(text)) or (FILE.fullmatch(text) and not is_there(text, page.parent))
    ]
    assert missing == []


def is_there(name, folder):
    """Whether a file that is named from the repository's root, or from the page's folder, is there."""
    ours = name.startswith(("docs/", "examples/", "netsim/", "rl/", "scenarios/", "tests/", "twin/"))
    return not ours or (ROOT / name).exists() or (folder / name).exists()


def test_the_map_of_the_paper_names_objects_files_and_commands_that_netsim_accepts():
    found = [text for _, text in spans(PAPER)]
    commands = [text.removeprefix("netsim ") for text in found if text.startswith("netsim ")]
    assert [text for text in commands if refusal(text.split())] == []
    objects = [text for text in found if OBJECT.fullmatch(text)]
    assert len(commands) > 30
    assert len(objects) > 60


@pytest.mark.parametrize("what", [*(f"| {n} | " for n in range(1, 14)), *(f"| Fig. {n} | " for n in range(1, 10))])
def test_every_equation_and_figure_of_the_paper_has_a_line_with_code_and_a_command(what):
    [row] = [line for line in PAPER.read_text().splitlines() if line.startswith(what)][:1]
    cells = row.strip("|").split(" | ")
    assert "`" in cells[2]
    assert cells[3].strip().startswith("`netsim ") or what.startswith("| 1")


def test_every_line_of_algorithm_1_is_in_the_map():
    section = PAPER.read_text().split("## Algorithm 1")[1].split("## Algorithm 2")[0]
    told = set()
    for line in section.splitlines():
        if line.startswith("| ") and line[2].isdigit():
            cell = line.split("|")[1].strip().replace(" to ", ", ")
            numbers = [int(n) for n in cell.split(", ")]
            told |= set(range(numbers[0], numbers[-1] + 1))
    assert told == set(range(1, 22)) - {11, 19, 21}  # which are "End For"
