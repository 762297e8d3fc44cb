"""Measure every cell of the matrix; write docs/benchmarks/{correctness,regimes-tables}.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # this folder's own penalties.py would hide tests/penalties
    sys.path[0] = str(Path(__file__).parents[1])
    from matrix.table import main

    main()
