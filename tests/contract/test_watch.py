"""``netsim watch``: the report of what goes on, to this machine alone, and anew when there is more."""

import http.client
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from netsim import hookimpl, tables
from netsim.cli import netsim as command
from netsim.errors import InputError
from netsim.goingon import going_on
from netsim.reports import page
from netsim.reports.folders import document_of
from netsim.run import run
from netsim.watching import folder as looking
from netsim.watching import server, terminal
from netsim.watching.folder import Shown, state_of
from netsim.watching.server import HEADERS, Watch
from netsim.watching.terminal import show, view
from tests.contract.test_cli import ROOT, environment
from tests.processes import hearing_interrupts

PERIODS = 8


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """What a run's folder was after 2 and after 5 of its periods, and when it had ended."""
    place = tmp_path_factory.mktemp("growing")

    class Keeps:
        @hookimpl
        def period_ended(self, report):
            if report.period in (2, 5):
                shutil.copytree(place / "run", place / str(report.period))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "SHOWN_EVERY_S", 0.0)
        run("tiny", "random", periods=PERIODS, seed=1, out=place / "run", plugins=[Keeps()])
    return {2: place / "2", 5: place / "5", "ended": place / "run"}


@pytest.fixture
def at_once(monkeypatch):
    """Files are looked at whenever anybody asks."""
    monkeypatch.setattr(looking, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(looking, "SHARE", 1.0)


class Going:
    """A run's folder that grows when it is told to."""

    def __init__(self, folder, growing):
        self.path, self._growing = folder, growing
        shutil.copytree(growing[2], folder)

    def grow(self):
        stream = going_on(self.path / "periods.parquet")
        shutil.copy(going_on(self._growing[5] / "periods.parquet"), stream.with_name("new"))
        stream.with_name("new").replace(stream)

    def end(self):
        going_on(self.path / "periods.parquet").unlink()
        shutil.copytree(self._growing["ended"], self.path, dirs_exist_ok=True)


@pytest.fixture
def going(tmp_path, growing):
    return Going(tmp_path / "run", growing)


@contextmanager
def served(folder):
    with Watch(folder) as watching:
        thread = threading.Thread(target=watching.serve)
        thread.start()
        yield watching
        watching.stop()
        thread.join()


@pytest.fixture
def watch(going, at_once):
    with served(going.path) as watching:
        yield watching


@pytest.fixture(scope="module")
def still(growing):
    """A server of a folder in which nothing changes."""
    with served(growing[2]) as watching:
        yield watching


def asked(watch, path="/", host="localhost", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(watch), timeout=30)
    try:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def port_of(watch):
    return int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", watch.url)[1])


class Events:
    """Somebody who waits for events."""

    def __init__(self, watch):
        self._connection = http.client.HTTPConnection("127.0.0.1", port_of(watch), timeout=30)
        self._connection.request("GET", "/events")
        self.answer = self._connection.getresponse()

    def next(self):
        """The next event or comment, its lines."""
        lines = []
        while line := self.answer.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines

    def close(self):
        self.answer.close()
        self._connection.close()


@pytest.fixture
def events(watch):
    waiting = Events(watch)
    yield waiting
    waiting.close()


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_is_the_report_with_a_script_that_renews_it(watch, going):
    status, headers, told = asked(watch)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert HEADERS.items() <= headers.items()
    assert "Python" not in headers["Server"]
    script = (ROOT / "netsim" / "watching" / "live.js").read_text()
    assert told == page(going.path, script)
    assert "2 of 8 periods so far" in told


def test_who_waits_is_told_when_there_is_more_and_the_page_then_has_it(watch, going, events):
    assert events.answer.getheader("Content-Type") == "text/event-stream"
    assert events.next() == ["retry: 2000"]
    first = events.next()
    going.grow()
    second = events.next()
    assert "5 of 8 periods so far" in asked(watch)[2]
    going.end()
    third = events.next()
    assert "so far" not in asked(watch)[2]
    assert [lines[0] for lines in (first, second, third)] == ["event: page"] * 3
    assert len({lines[1] for lines in (first, second, third)}) == 3


def test_the_page_is_as_new_as_the_folder_if_nobody_waits(watch, going):
    asked(watch)
    going.grow()
    assert "5 of 8 periods so far" in asked(watch)[2]


def test_a_folder_in_which_nothing_changes_is_reported_once(going, at_once):
    made = []
    shown = Shown(going.path, lambda folder: made.append(folder) or "page")
    assert [shown.renew() for _ in range(3)] == [False] * 3
    going.grow()
    assert [shown.renew() for _ in range(3)] == [True, False, False]
    assert len(made) == 2


def test_what_cannot_be_read_for_a_moment_leaves_what_was_shown(going, at_once):
    shown = Shown(going.path, document_of)
    before, manifest = shown.latest, going.path / "manifest.json"
    content = manifest.read_bytes()
    manifest.write_bytes(content[:100])
    assert not shown.renew()
    assert shown.latest is before
    manifest.write_bytes(content)
    going.grow()
    assert shown.renew()


def test_looking_takes_a_tenth_of_a_core_at_most(going, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, thread_time=lambda: clock.now)
    monkeypatch.setattr(looking, "time", clock)

    def slowly(folder):
        clock.now += 3.0
        return clock.now

    shown = Shown(going.path, slowly)
    clock.now += looking.LOOK_EVERY_S
    going.grow()
    assert shown.renew()
    assert shown.wait_s == pytest.approx(27.0)
    going.end()
    clock.now += 26.0
    assert not shown.renew()
    clock.now += 1.0
    assert shown.renew()


def test_a_report_that_is_made_beside_it_and_checkpoints_are_no_news(tmp_path):
    (tmp_path / "jobs" / "a" / "out" / "checkpoints").mkdir(parents=True)
    before = state_of(tmp_path)
    (tmp_path / "report.html").touch()
    (tmp_path / "jobs" / "a" / "out" / "checkpoints" / "1").touch()
    assert state_of(tmp_path) == before
    (tmp_path / "jobs" / "a" / "out" / "metrics.jsonl").touch()
    assert state_of(tmp_path) != before


# -- nobody else -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", "", "127.0.0.2"]
)
@pytest.mark.parametrize("path", ["/", "/events"])
def test_a_request_under_another_name_is_refused(still, host, path):
    status, _, told = asked(still, path, host)
    assert status == 421
    assert "tiny" not in told


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_a_tunnel_may_lead_here(still, host):
    assert asked(still, "/", host)[0] == 200


@pytest.mark.parametrize(
    "path", ["/manifest.json", "/../run/manifest.json", "//manifest.json", "/.", "/periods.parquet", "/events/", "/%2e"]
)
def test_no_file_and_no_list_of_files_is_served(still, path):
    assert asked(still, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(still, method):
    assert asked(still, "/", method=method)[0] == 501


def test_only_this_machine_can_connect(still):
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((own, port_of(still)), timeout=5)


def test_there_is_an_end_to_how_many_may_wait(still, monkeypatch):
    waiting = Events(still)
    waiting.next()
    monkeypatch.setattr(server, "MOST_WAITING", 1)
    assert asked(still, "/events")[0] == 503
    assert asked(still)[0] == 200
    waiting.close()


def test_a_heartbeat_is_sent_while_nothing_changes_and_who_has_gone_makes_room(growing, monkeypatch):
    monkeypatch.setattr(server, "MOST_WAITING", 1)
    monkeypatch.setattr(server, "HEARTBEAT_S", 0.01)
    with served(growing[2]) as watch:
        for _ in range(2):
            end = time.monotonic() + 30
            while (waiting := Events(watch)).answer.status != 200:
                waiting.close()
                assert time.monotonic() < end
            heard = [waiting.next()[0] for _ in range(4)]
            assert heard == ["retry: 2000", "event: page", ": still here", ": still here"]
            waiting.close()


# -- beginning and ending ----------------------------------------------------------------------------------------------


def test_what_is_no_run_and_a_port_that_is_taken_are_told(tmp_path, still, growing):
    with pytest.raises(InputError, match="is no folder; a report is made of a run"):
        Watch(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"port \d+ cannot be taken: Address already in use; without --port a free one is"
    ):
        Watch(growing[2], port_of(still))
    done = CliRunner().invoke(command, ["watch", str(growing[2]), "--terminal", "--port", "8000"])
    assert (done.exit_code, "give one of them" in done.output) == (2, True)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.whole
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly_while_somebody_waits(growing, number):
    with subprocess.Popen(
        [sys.executable, "-m", "netsim", "watch", str(growing[2])],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hearing_interrupts,
    ) as process:
        url = process.stdout.readline().split()[0]
        waiting = Events(SimpleNamespace(url=url))
        assert waiting.next() == ["retry: 2000"]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        waiting.close()
    assert (process.returncode, out, err) == (0, "", "")


# -- the terminal ------------------------------------------------------------------------------------------------------


def test_the_terminal_shows_the_figures_of_the_page_until_the_run_has_ended(going, at_once, monkeypatch):
    steps = iter([going.grow, going.end])
    monkeypatch.setattr(terminal, "time", SimpleNamespace(sleep=lambda seconds: next(steps)()))
    text = io.StringIO()
    show(going.path, Console(file=text, force_terminal=True, width=80, height=60, highlight=False))
    told = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.getvalue())
    for words in ("2 of 8 periods so far", "5 of 8 periods so far"):
        assert words in told
    document = document_of(going.path)
    last = told[told.rindex(document.title) :]
    assert "so far" not in last
    for fact in document.facts:
        assert fact.label in last
        assert fact.value in last
    for cell in document.sections[0].tables[0].rows[0]:
        assert cell in last


def test_a_title_of_somebody_else_s_writes_no_controls_to_the_terminal(growing):
    document = document_of(growing[2])
    text = io.StringIO()
    Console(file=text, width=120).print(view(replace(document, title="\x1b[31m[red]x", warnings=["a\x07b"])))
    assert "\\x1b[31m[red]x" in text.getvalue()
    assert "\x1b" not in text.getvalue()
    assert "\x07" not in text.getvalue()
