"""``netsim watch`` in a browser: the page is renewed while a run goes on, under the eyes of who reads it."""

import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.contract.test_cli import ROOT, environment

pytestmark = pytest.mark.whole


@contextmanager
def netsim(*arguments):
    """``netsim`` while it runs."""
    command = [sys.executable, "-m", "netsim", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture
def live(tmp_path, chromium):
    """A page that shows a run that goes on, and the run."""
    out = tmp_path / "run"
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom netsim import hookimpl\n\n\nclass Slow:\n    @hookimpl\n"
        "    def period_ended(self):\n        time.sleep(0.002)\n"
    )
    options = ("--controller", "random", "--periods", 10**8, "--plugin", f"{slow}:Slow", "--out", out)
    with netsim("run", "tiny", *options) as run:
        while not (out / ".periods.arrows.partial").exists():
            assert run.poll() is None
        with netsim("watch", out) as watch:
            url = watch.stdout.readline().split()[0]
            context = chromium.new_context(viewport={"width": 900, "height": 500})
            page = context.new_page()
            page.complaints, page.asked = [], []
            page.on("console", lambda message: page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("request", lambda request: page.asked.append(request.url))
            page.goto(url)
            page.url_of_watch = url
            yield page, run
            context.close()


def periods(page):
    """How many periods the page says that there are so far."""
    return int(re.search(r"([\d,]+) of 100,000,000 periods so far", page.inner_text("main"))[1].replace(",", ""))


def renewed(page):
    """Wait until the page says that there are more."""
    before, end = page.inner_text("[role=status]"), time.monotonic() + 120
    while page.inner_text("[role=status]") == before:
        assert time.monotonic() < end
        page.wait_for_timeout(100)


def test_the_page_grows_with_the_run_and_what_is_read_stays_where_it_is(live):
    page, run = live
    first = periods(page)
    renewed(page)
    assert periods(page) > first

    heading = page.locator("main h2").nth(2)
    heading.evaluate("there => window.scrollTo(0, there.getBoundingClientRect().top + scrollY - 40)")
    table = page.locator(".scroll").first
    table.evaluate("there => { there.focus({preventScroll: true}); there.scrollLeft = 30 }")
    page.evaluate("window.kept = [...document.querySelectorAll('main h2, .scroll')]")
    drawing = page.locator("figure svg").first.evaluate("there => there.outerHTML")
    place = heading.bounding_box()["y"]
    scrolled = table.evaluate("there => there.scrollLeft")
    for _ in range(2):
        renewed(page)
    assert abs(heading.bounding_box()["y"] - place) < 1
    assert table.evaluate("there => [there.scrollLeft, document.activeElement === there]") == [scrolled, True]
    assert page.evaluate("kept.every(part => part.isConnected)")
    assert page.locator("figure svg").first.evaluate("there => there.outerHTML") != drawing
    assert page.complaints == []
    assert set(page.asked) == {page.url_of_watch, f"{page.url_of_watch}events"}
    assert "Live: as it was at" in page.inner_text("footer")

    run.terminate()
    page.get_by_text("The run was stopped before its end").wait_for(timeout=60_000)
    assert page.complaints == []


def test_a_page_whose_server_has_gone_says_so(live):
    page, _ = live
    renewed(page)
    page.context.set_offline(True)
    page.get_by_text("Not live any more").wait_for(timeout=60_000)
