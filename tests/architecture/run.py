"""Print how the house stands: circles, private imports, rooms, floors, lines, ways to read.

python tests/architecture/run.py [SRC]

SRC is a folder of sources, src by itself, so that two states can be compared. Exits with 1 if
imports run in a circle or a private name crosses from one package into another.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # the tests import each other from their folder, and not from this one
    sys.path[0] = str(Path(__file__).parents[1])
    from architecture.page import main

    sys.exit(main(sys.argv[1:]))
