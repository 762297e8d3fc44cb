"""Show that the tests catch every mutant.

python tests/mutants/run.py [NAME ...]

A NAME is a part of a mutant's name. Exits with 1 if one survives, and with 2 if the tests do not
pass on the package as it is.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # the tests import each other from their folder, and not from this one
    sys.path[0] = str(Path(__file__).parents[1])
    from mutants.trial import main

    sys.exit(main(sys.argv[1:]))
