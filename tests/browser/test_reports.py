"""Reports in a browser: they ask for nothing, and can be read by all eyes, by keyboard, small, dark and on paper."""

import re

import pytest

from netsim.reports import page as page_of
from tests.unit.reported import (
    Seen,
    a_run,
    a_study,
    a_training,
    evaluated,
    interactions,
    rewrite,
)

pytestmark = pytest.mark.whole
KINDS = ("run", "stopped run", "training", "study")
LONG = "A title that is much longer than what fits beside a figure on a small telephone held upright"
BAD = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The files of four reports, by kind."""
    place = tmp_path_factory.mktemp("reports")
    a_run(place / "run")
    a_run(place / "stopped run", periods=600)
    rewrite(place / "stopped run", stopped)
    twin = {"iteration": 1, "twin": {"state_loss": 0.5, "outcome_loss": 0.1}}
    lines = [*interactions(200, **twin), evaluated(200, 2.9)]
    a_training(place / "training", lines, agent="ddqn-dt", loop={"refit": "drift"}, finished=False)
    a_study(place / "study", finished=3, title=LONG)
    for kind in KINDS:
        (place / kind / "report.html").write_text(page_of(place / kind), encoding="utf-8")
    return {kind: place / kind / "report.html" for kind in KINDS}


def stopped(manifest):
    """A run that was stopped, and whose controller's name is not kind."""
    manifest.update(finished=False, files={})
    manifest["request"]["controller"] = BAD


@pytest.fixture(params=KINDS)
def report(request, reports):
    return reports[request.param]


# -- alone -------------------------------------------------------------------------------------------------------------


def test_a_report_asks_for_nothing_and_complains_of_nothing(report, tab):
    page = tab(report.as_uri())
    page.wait_for_load_state("networkidle")
    assert page.asked == [report.as_uri()]
    assert page.complaints == []


def test_a_script_that_was_asked_for_runs_and_no_other(reports, tmp_path, tab):
    live = tmp_path / "live.html"
    live.write_text(page_of(reports["study"].parent, "document.title = 'live'"), encoding="utf-8")
    page = tab(live.as_uri())
    assert page.title() == "live"
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))")
    assert page.title() == "live"
    assert "Content Security Policy" in page.complaints[0]


# -- figures -----------------------------------------------------------------------------------------------------------


def test_every_figure_is_there_with_its_text(report, tab):
    page = tab(report.as_uri())
    figures = page.locator("figure").all()
    assert len(figures) >= 3
    for figure in figures:
        drawing = figure.locator("svg")
        box = drawing.bounding_box()
        assert box["width"] > 250
        assert box["height"] > 100
        heading, finding = figure.locator("h3").inner_text(), figure.locator("figcaption p").inner_text()
        assert page.get_by_role("img", name=f"{heading} {finding}", exact=True).count() >= 1
        assert re.search(r"\d", finding)
        assert drawing.locator("desc").evaluate("each => each.textContent") == finding
        assert drawing.locator("path, use").count() > 5


def test_nothing_drawn_leaves_its_drawing(report, tab):
    page = tab(report.as_uri())
    outside = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
            const paper = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(text => {
                const box = text.getBoundingClientRect();
                return box.left < paper.left - 1 || box.right > paper.right + 1
                    || box.top < paper.top - 1 || box.bottom > paper.bottom + 1;
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_no_two_words_of_a_drawing_lie_over_each_other(report, tab):
    page = tab(report.as_uri())
    over = page.evaluate(OVERLAPS)
    assert over == []


OVERLAPS = """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
    const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
    return texts.flatMap(([word, a], k) =>
        texts.slice(k + 1).filter(([_, b]) => over(a, b)).map(([other]) => [word, other]));
})"""


def test_the_numbers_behind_each_figure_are_downloaded(report, tab):
    page, said = tab(report.as_uri(), accept_downloads=True), Seen(report.read_text(encoding="utf-8"))
    links = page.locator("a[download]").all()
    assert len(links) == page.locator("figure").count()
    for link in links:
        with page.expect_download() as begun:
            link.click()
        name = link.get_attribute("download")
        assert begun.value.suggested_filename == name
        lines = begun.value.path().read_text(encoding="utf-8").splitlines()
        assert len(lines) == len(said.numbers(name)) + 1
        assert lines[0].startswith("panel,series,")
    assert page.asked == [report.as_uri()]


# -- by keyboard -------------------------------------------------------------------------------------------------------

FOCUSED = "() => [...document.querySelectorAll('a, [tabindex=\"0\"]')].indexOf(document.activeElement)"


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(report, tab):
    page = tab(report.as_uri())
    count = page.locator("a, [tabindex='0']").count()
    order = []
    for _ in range(count):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUSED))
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2
    assert order == list(range(count))


def test_the_first_link_leads_past_the_contents(report, tab):
    page = tab(report.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"


# -- small, dark, on paper ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 320])
def test_a_telephone_shows_it_without_scrolling_sideways(report, tab, width):
    page = tab(report.as_uri(), viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(LETTERS)
    assert min(sizes) >= 7


LETTERS = """() => [...document.querySelectorAll('figure text')].map(text => {
    const turned = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(turned.a, turned.b);
})"""
"""Heights of the letters in drawings, pixels."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_curves_stand_out_from_the_paper(report, tab, scheme):
    page = tab(report.as_uri(), color_scheme=scheme)
    papers, words, curves = page.evaluate(SEEN_COLOURS)
    luminances = [luminance(paper) for paper in papers]
    assert max(luminances) < 0.05 if scheme == "dark" else min(luminances) > 0.85
    for text, colour, paper in words:
        assert contrast(colour, paper) >= 4.5, text  # WCAG 2.2, success criterion 1.4.3
    for colour, paper in curves:
        assert contrast(colour, paper) >= 3.0  # 1.4.11
    assert len(curves) >= 2


SEEN_COLOURS = """() => {
    const paper = each => {
        for (; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (colour !== 'rgba(0, 0, 0, 0)') return colour;
        }
        return null;
    };
    const says = each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const shown = [...document.body.querySelectorAll('*')].filter(each => !each.closest('svg') && says(each));
    const words = shown.map(each => [each.textContent, getComputedStyle(each).color, paper(each)]);
    for (const text of document.querySelectorAll('figure text'))
        words.push([text.textContent, getComputedStyle(text).fill, paper(text)]);
    const lines = [...document.querySelectorAll('figure [class^="s-"]:not(.s-grid)')];
    const curves = lines.map(line => [getComputedStyle(line).stroke, paper(line)]);
    return [[...new Set(words.map(each => each[2]))], words, curves];
}"""


def luminance(colour):
    """Relative luminance of ``rgb(r, g, b)``, as WCAG 2.2 defines it."""
    shares = (int(each) / 255 for each in re.findall(r"\d+", colour)[:3])
    linear = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(colour, paper):
    """The ratio of WCAG 2.2."""
    high, low = sorted((luminance(colour), luminance(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_on_paper_it_is_black_on_white_and_complete(report, tab):
    page = tab(report.as_uri(), color_scheme="dark", viewport={"width": 688, "height": 1000})  # A4 within margins
    page.emulate_media(media="print", color_scheme="dark")
    papers, words, _ = page.evaluate(SEEN_COLOURS)
    assert {luminance(paper) for paper in papers} == {1.0}
    assert all(contrast(colour, paper) >= 4.5 for _, colour, paper in words)
    assert not page.locator("nav").is_visible()
    assert all(figure.is_visible() for figure in page.locator("figure svg").all())
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    clipped = (
        "() => [...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth).length"
    )
    assert page.evaluate(clipped) == 0
    assert page.pdf(format="A4")[:5] == b"%PDF-"
