"""Reports for people: one HTML page of a run, a training or a study, which needs nothing but itself.

The page is made from the files of a folder alone; nothing is simulated, raced or learned for it. Nothing heavy is
imported before a page is asked for.
"""

from pathlib import Path

NAME = "report.html"


def page(folder: Path, live_script: str = "") -> str:
    """The report of a run directory, a training or a study, as it stands: an unfinished one says so on top.

    The same files give the same text, on one machine: the best static allocation is taken from its cache.

    Parameters
    ----------
    folder
        What ``netsim run``, ``train`` or ``study`` writes, or is still writing.
    live_script
        JavaScript to run in the page, as one that fetches it anew when it is served. It may connect to where the page
        came from. Without it the page holds no script and may reach nothing.

    Raises
    ------
    InputError
        The folder is none of these, or what is in it is damaged.
    """
    from netsim.reports.folders import document_of
    from netsim.reports.rendering import rendered

    return rendered(document_of(folder), live_script)
