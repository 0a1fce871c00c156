"""The command `graphophone` of an installed wheel, where this file is the package `graphophone` itself.

The rooms are called `api`, `schema`, `tasks` and `db`; under such names they must not lie among other people's
packages. So the wheel carries them inside the package `graphophone`, whose folder is put first on the path here, and
handed to the processes that are started: no import is rewritten, and the same files run from a checkout. The
alternatives were relative imports throughout, of which each `python -m` of a child process would have to know, and a
zip application, out of which neither the migrations nor the console's files could be read.
"""

import os
import sys
from pathlib import Path

ROOMS = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line from any folder."""
    sys.path.insert(0, str(ROOMS))
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOMS), others)))
    os.environ["PYTHONSAFEPATH"] = "1"  # a folder `api` where somebody happens to work is none of ours
    if not Path(".env").exists():
        shared = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        os.environ.setdefault("GRAPHOPHONE_HOME", str(shared / "graphophone"))
    from api.__main__ import main as run  # noqa: PLC0415  the path is made above

    run()
