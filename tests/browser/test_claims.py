"""The claims of a study in a browser: what decides is seen at once at every width, and heard as a table."""

import json

import pytest

from netsim.reports import page as page_of
from tests.unit.reported import a_study

pytestmark = pytest.mark.whole
CAPTION = "Claims and what the runs say about them"
HEADINGS = ["claim", "verdict", "effect", "95 % interval", "in words", "margin", "pairs", "p", "p, Holm"]
LONG = {
    "claim": "in the end the utility of gan-ddqn is higher with a twin",
    "says": "To earn the same reward, twin-enhanced agents spend fewer interactions (section V-B).",
    "effect": -0.0002883935,
    "ci95": [-0.002733096, 0.004261691],
    "p": 0.001953125,
    "verdict": "undecided",
}
UNKIND = {"claim": "x" * 90, "says": None, "effect": -1234567.0, "ci95": [-12345678.0, 1234567.0]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a study whose claims have long words and numbers."""
    folder = a_study(tmp_path_factory.mktemp("claims") / "study")
    path = folder / "study.json"
    found = json.loads(path.read_text())
    plain = found["claims"][0]
    found["claims"] = [{**plain, **LONG}, {**plain, **UNKIND}, plain]
    path.write_text(json.dumps(found))
    made = folder / "report.html"
    made.write_text(page_of(folder), encoding="utf-8")
    return made.as_uri()


SCREENS = [(width, "screen") for width in (320, 390, 600, 640, 641, 768, 1024, 1100, 1200, 1440, 1600)]


@pytest.mark.parametrize(("width", "media"), [*SCREENS, (688, "print")])  # A4 within margins
def test_what_decides_is_seen_without_scrolling_sideways(report, tab, width, media):
    page = tab(report, viewport={"width": width, "height": 900})
    page.emulate_media(media=media)
    table, container, rows = page.get_by_role("table", name=CAPTION).evaluate(LAID_OUT)
    assert table <= container
    assert [row[1]["text"] for row in rows] == ["undecided", "holds", "holds"]
    for row in rows:
        assert len(row) == len(HEADINGS)
        for cell in filter(None, row):
            assert 0 <= cell["left"] < cell["right"] <= width, cell
        assert not [(one, other) for one in row for other in row if one is not other and over(one, other)]


LAID_OUT = """table => [table.scrollWidth, table.parentElement.clientWidth, [...table.tBodies[0].rows].map(row =>
    [...row.cells].map(cell => {
        const words = document.createRange();
        words.selectNodeContents(cell);
        const {left, right, top, bottom} = words.getBoundingClientRect();
        return cell.textContent && {text: cell.textContent, left, right, top, bottom};
    }))]"""
"""Widths of the table and of what it stands in, and where the words of each cell are."""


def over(one, other):
    """Whether the words of two cells lie over each other."""
    if not one or not other:
        return False
    beside = min(one["right"], other["right"]) - max(one["left"], other["left"])
    below = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return beside > 1 and below > 3


@pytest.mark.parametrize("width", [320, 1024])
def test_a_screen_reader_hears_a_table_with_headings_and_each_cell_once(report, tab, width):
    page = tab(report, viewport={"width": width, "height": 900})
    table = page.get_by_role("table", name=CAPTION)
    cells = table.locator("td, tbody th").all_text_contents()
    # Chromium takes it for a table even without roles; other browsers go by how it is displayed.
    assert table.locator(":is(thead, tbody, tr, th, td):not([role])").count() == 0
    heard = list(accessible(page))
    assert [name for role, name in heard if role == "columnheader"] == HEADINGS
    assert [name for role, name in heard if role in ("rowheader", "cell")] == cells
    assert [role for role, _ in heard].count("rowheader") == 3


def accessible(page):
    """Roles of the cells of the table in Chromium's own tree for screen readers, with what is read out."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}

    def below(node):
        children = [by_id[each] for each in node.get("childIds", ()) if each in by_id]
        return [node, *(each for child in children for each in below(child))]

    [table] = [node for node in nodes if (role_of(node), name_of(node)) == ("table", CAPTION)]
    for node in below(table):
        if role_of(node) in ("columnheader", "rowheader", "cell"):
            yield role_of(node), "".join(name_of(each) for each in below(node) if role_of(each) == "StaticText")


def role_of(node):
    return None if node["ignored"] else node["role"]["value"]


def name_of(node):
    return node.get("name", {}).get("value", "")


def test_on_a_telephone_every_number_stands_beside_what_it_is_called(report, tab):
    page = tab(report, viewport={"width": 320, "height": 900})
    said = page.get_by_role("table", name=CAPTION).evaluate(
        "table => [...table.tBodies[0].rows[0].cells].map(cell => getComputedStyle(cell, '::before').content)"
    )
    assert [each.split('"')[1] for each in said[1:]] == HEADINGS[1:]
