"""``netsim watch``. Nothing heavy is imported before it is called."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Where to serve.  [default: a free port]")
@click.option("--terminal", is_flag=True, help="Show the key figures here instead, until what goes on is finished.")
def watch(folder: Path, port: int | None, terminal: bool) -> None:
    """Show the report of DIR while what is in it goes on: a run, a training or a study.

    It is served to this machine alone; the page is that of `netsim report`, and is renewed as the folder grows. Ctrl-C
    ends it.
    """
    if terminal and port is not None:
        raise click.UsageError("--port is for a browser, --terminal shows figures here: give one of them")
    try:
        _in_terminal(folder) if terminal else _in_browser(folder, port or 0)
    except KeyboardInterrupt:  # Ctrl-C, or SIGTERM: the ways in which this is meant to end
        return


def _in_terminal(folder: Path) -> None:
    from netsim.watching.terminal import show

    show(folder)


def _in_browser(folder: Path, port: int) -> None:
    from netsim.watching.server import Watch

    with Watch(folder, port) as watching:
        click.echo(f"{watching.url} shows {folder}; Ctrl-C ends it")
        watching.serve()
