"""The report of a folder over HTTP, to this machine alone: the page, and the events that tell when it has changed.

The server listens on the loopback interface. A page of somebody else's that is open in the same browser could still
send requests there, under a name that it has made to mean this machine, so a request whose Host is none of this
machine's names is refused; and browsers are told to put the report into no frame.
"""

import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from netsim.errors import InputError
from netsim.watching.folder import LOOK_EVERY_S, Shown, version_of

HOST = "127.0.0.1"
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What this machine may be called in a request; the port may be another one, where a tunnel leads here."""
HEARTBEAT_S = 15.0
"""How often something is sent to who waits for events, which tells whether anybody is still there."""
MOST_WAITING = 64
"""Connections that wait for events at a time."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Watch:
    """A server of one folder's report: ``with Watch(folder) as watch: watch.serve()``."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Make the page and take a port, any free one by default.

        Raises
        ------
        InputError
            There is no report of the folder, or the port is in use.
        """
        self._shown = Shown(folder, _live_page)
        self._changed, self._ending, self._waiting = threading.Condition(), threading.Event(), 0
        try:
            self._server = _Server((HOST, port), self)
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"port {port} cannot be taken: {why}; without --port a free one is") from None
        self._looking = threading.Thread(target=self._look_on, daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the port and all who wait go."""
        self._ending.set()
        with self._changed:
            self._changed.notify_all()
        self._server.server_close()

    def serve(self) -> None:
        """Answer requests until the process is interrupted, or :meth:`stop` is called."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """End :meth:`serve`, from another thread."""
        self._server.shutdown()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def page(self) -> str:
        """The page as it is by now."""
        if self._shown.renew():
            self._tell()
        return self._shown.latest

    def _look_on(self) -> None:
        """Make the page anew while anybody waits for it."""
        while not self._ending.wait(self._shown.wait_s or LOOK_EVERY_S / 10):
            if self._waiting and self._shown.renew():
                self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # -- who waits ---------------------------------------------------------------------------------------------------

    def admit(self) -> bool:
        """Whether one more may wait for events; who was admitted has to :meth:`leave`."""
        with self._changed:
            admitted = self._waiting < MOST_WAITING
            self._waiting += admitted
            return admitted

    def leave(self) -> None:
        """One who waited has gone."""
        with self._changed:
            self._waiting -= 1

    def next_version(self, seen: str | None) -> str | None:
        """The version of the page once it is another one than ``seen``; ``None`` if it is not for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending.is_set() or self._version != seen, HEARTBEAT_S)
            return self._version if self._version != seen else None

    @property
    def _version(self) -> str:
        return version_of(self._shown.latest)

    @property
    def ending(self) -> bool:
        """Whether the server has been left."""
        return self._ending.is_set()


def _live_page(folder: Path) -> str:
    from netsim.reports import page

    return page(folder, (files("netsim.watching") / "live.js").read_text(encoding="utf-8"))


# -- requests ----------------------------------------------------------------------------------------------------------


def is_local(host: str | None) -> bool:
    """Whether the Host of a request is this machine, on whatever port.

    >>> [is_local(host) for host in ("localhost:80", "127.0.0.1", "[::1]:8000", "evil.example", "localhost.evil", None)]
    [True, True, True, False, False, False]
    """
    name, colon, port = (host or "").rpartition(":")
    if not colon or not port.isdigit():
        name = host or ""
    return name.lower() in LOCAL_NAMES


class _Server(ThreadingHTTPServer):
    """A thread for each connection; none of them keeps the process alive."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], watch: Watch) -> None:
        self.watch = watch
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Answers requests for the page and for its events, and no others."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        """``/`` is the page, ``/events`` tells when it has changed; there is nothing else."""
        if not is_local(self.headers.get("Host")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == "/":
            self._send_page()
        elif self.path == "/events":
            self._send_events()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send_page(self) -> None:
        content = self.server.watch.page().encode()
        self._begin("text/html; charset=utf-8", {"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _send_events(self) -> None:
        watch = self.server.watch
        if not watch.admit():
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._begin("text/event-stream", {"Connection": "close"})
            self.wfile.write(b"retry: 2000\n\n")
            seen: str | None = None
            while not watch.ending:
                version = watch.next_version(seen)
                self.wfile.write(
                    b": still here\n\n" if version is None else f"event: page\ndata: {version}\n\n".encode()
                )
                seen = version or seen
        finally:
            watch.leave()

    def _begin(self, kind: str, more: dict[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, **HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        """Not which Python this is."""
        return "netsim"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is the user's."""
