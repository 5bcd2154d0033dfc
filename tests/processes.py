"""Processes that tests start and stop."""

import signal


def hearing_interrupts():
    """For ``preexec_fn``: a process started by a shell in the background, and its children, ignore Ctrl-C otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
