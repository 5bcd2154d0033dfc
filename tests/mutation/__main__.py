"""``python -m tests.mutation``: how many mutants of accounting, scheduling, queue service and reward the suite kills.

Needs ``pip install -e '.[test,mutation]'``. Takes about 40 minutes of one core. What is known already is kept in
``build/mutation.jsonl`` and a change that reads the same in the same function is not run again; ``--afresh`` forgets
it, ``--again`` runs what survived.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.gallery.workbench import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--module", action="append", help="only this module, such as netsim.sla; may be repeated")
    parser.add_argument("--function", action="append", help="only this function; may be repeated")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "build" / "mutation.jsonl", help="where results are kept"
    )
    parser.add_argument("--afresh", action="store_true", help="run every mutant again")
    parser.add_argument("--again", action="store_true", help="run those again that survived so far")
    parser.add_argument("--quick", action="store_true", help="only the tests that every mutant meets first")
    arguments = parser.parse_args()
    if os.environ.get("NUMBA_DISABLE_JIT") != "1":
        os.environ |= {"NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "0"}
        os.execv(sys.executable, [sys.executable, "-m", "tests.mutation", *sys.argv[1:]])
    from tests.mutation.campaign import STAGES, Campaign

    if arguments.afresh:
        arguments.results.unlink(missing_ok=True)
    stages = 1 if arguments.quick else len(STAGES)
    return Campaign(arguments.results, arguments.module, arguments.function, arguments.again, stages).run()


if __name__ == "__main__":
    sys.exit(main())
