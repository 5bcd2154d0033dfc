"""``python -m netsim`` and the command ``netsim``."""

import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    from netsim import cli

    sys.exit(cli.main())


if __name__ == "__main__":
    main()
