"""``netsim report``. Nothing heavy is imported before it is called."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to.  [default: DIR/report.html]")
def report(folder: Path, out: Path | None) -> None:
    """Make a report of DIR, a run, a training or a study: one HTML page that needs nothing but itself.

    What is unfinished is shown as far as it is. An earlier report is replaced, for nothing is lost with it.
    """
    from netsim.errors import InputError
    from netsim.files import write_atomic
    from netsim.reports import NAME, page

    text, place = page(folder), folder / NAME if out is None else out
    try:
        write_atomic(place, text)
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror or error}; --out FILE puts it elsewhere") from None
    click.echo(str(place))
