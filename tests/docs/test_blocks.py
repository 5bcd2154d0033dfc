"""What runs the pages notices what is wrong with them, and where."""

import pytest

from tests.docs.blocks import blocks
from tests.docs.comparing import difference
from tests.docs.pages import commands_in, exists, refusal
from tests.docs.playing import DiffersError, play


@pytest.fixture
def page(tmp_path):
    def write(text):
        file = tmp_path / "page.md"
        file.write_text(text)
        return file

    return write


def played(file):
    return play(file, file.parent)


def told(file):
    with pytest.raises(DiffersError) as found:
        played(file)
    return str(found.value).removeprefix(f"{file}:")


# -- blocks ----------------------------------------------------------------------------------------------------------


def test_blocks_come_with_their_place_and_their_words(page):
    text = """# A

```sh exit=2 quick="10 -> 1"
run 10
```

```{math}
x
```

- a list

  ```python file=a.py
  x = 1
  ```
"""
    first, second = blocks(page(text))
    assert (first.line, first.language, first.words["exit"], first.quickened) == (4, "sh", "2", "run 1\n")
    assert (second.line, second.words, second.text) == (14, {"file": "a.py"}, "x = 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```\nx\n```\n", "page.md:1: a block begins with one of"),
        ("\n```bash\nx\n```\n", "page.md:2: a block begins with one of"),
        ("```sh norun=x\nx\n```\n", "page.md:1: sh takes"),
        ("```sh\nx\n", "page.md:1: this block is not closed"),
    ],
)
def test_a_block_that_would_not_be_run_is_no_block(page, text, message):
    with pytest.raises(ValueError, match="page") as found:
        list(blocks(page(text)))
    assert message in str(found.value)


def test_a_budget_that_is_not_there_is_told(page):
    [block] = blocks(page('```sh quick="100 -> 1"\nrun 10\n```\n'))
    with pytest.raises(ValueError, match="quick replaces '100', which is not there"):
        _ = block.quickened


# -- playing ---------------------------------------------------------------------------------------------------------


def test_the_first_line_that_ends_otherwise_is_told_with_its_place(page):
    assert told(page("```sh\nprintf 'a\\nb\\nc\\n'\n```\n\n```text\na\nB\nc\n```\n")).startswith("7: printed otherwise")


def test_the_command_that_failed_is_told_with_its_place(page):
    assert told(page("text\n\n```sh\ntrue\nfalse\ntrue\n```\n")).startswith("5: exit status 1, not 0")


def test_a_command_that_should_have_failed_is_told(page):
    assert told(page("```sh exit=2\ntrue\n```\n")).startswith("2: exit status 0, not 2")


def test_python_blocks_share_names_and_tell_the_line_that_raised(page):
    text = "```python\nx = 2\nprint(x)\n```\n\n```text\n2\n```\n\n```python\ny = x\nassert y == 3\n```\n"
    assert told(page(text)).startswith("12: AssertionError")


def test_tests_of_a_page_are_called(page):
    assert told(page("```python\ndef test_it():\n    raise KeyError(1)\n```\n")).startswith("3: KeyError")


def test_files_of_a_page_are_there_for_what_follows(page):
    assert played(page("```python file=a.py\nprint(1)\n```\n\n```sh\npython a.py\n```\n\n```text\n1\n```\n")) == 2


def test_blocks_that_are_left_out_are(page):
    assert played(page('```sh no-run="for a reason of mine"\nfalse\n```\n\n```text\nanything\n```\n')) == 0


def test_a_part_of_a_scenario_is_checked_in_its_place(page):
    assert "slices.video.users" in told(page("```yaml\nslices: {video: {users: -1}}\n```\n"))
    assert played(page("```yaml\nslices: {video: {users: 1}}\n```\n")) == 1


# -- comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "printed", "line"),
    [
        ("a\nb", "a\nb", None),
        ("a \n\n b", "\na\n b  \n", None),
        ("a\nb", "a\nc", 1),
        ("a\nb", "a", 1),
        ("a", "a\nb", 0),
        ("...\nb", "x\ny\nb", None),
        ("a\n...", "a\nx\ny", None),
        ("a\n...\nb\nc", "a\nb\nx\nb\nc", None),
        ("a\n...\nb\nc", "a\nb\nx", 3),
        ("in ... s", "in 12.5 s", None),
        ("1.50", "1.51", 0),
        ("", "a", 0),
    ],
)
def test_text_is_what_was_printed(shown, printed, line):
    found = difference(shown, printed)
    assert (None if found is None else found[0]) == line


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("U 3.64 ± 0.01", "U 3.70 ± 0.02", True),
        ("U 3.64 ± 0.01", "U 3.00 ± 0.02", False),
        ("1000 packets", "1099 packets", True),
        ("1000 packets", "1101 packets", False),
        (" a    3.64  0.9 ", "a 3.6401  0.91", True),
        ("────\n", "──\n", True),
        ("verdict holds", "verdict fails", False),
        ("U 3.64 ...", "U 1.00 and more", True),
    ],
)
def test_about_allows_a_tenth_and_other_widths_and_no_other_words(shown, printed, same):
    assert (difference(shown, printed, about=True) is None) == same


# -- names -----------------------------------------------------------------------------------------------------------


def test_commands_are_found_in_loops_pipes_and_substitutions(page):
    text = """```sh
for s in 1; do
  netsim run tiny --seed $s | head; done
diff <(netsim list 'a|b') x > y # netsim no
```
"""
    [block] = blocks(page(text))
    assert list(commands_in(block)) == [(3, ["run", "tiny", "--seed", "1"]), (4, ["list", "a|b"])]


def test_what_is_not_there_is_not_accepted():
    assert exists("netsim.PeriodReport.ssr")
    assert exists("rl.agents.dqn.DqnConfig.hidden")
    assert not exists("netsim.PeriodReport.srs")
    assert not exists("netsim.nothing")
    assert refusal(["run", "tiny", "--nothing"]) is not None
    assert refusal(["nothing"]) is not None
    assert refusal(["run", "tiny"]) is None
