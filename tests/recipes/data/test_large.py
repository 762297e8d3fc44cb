"""Tables that are read in several blocks: their values, their lines, and their memory."""

import subprocess
import sys

import numpy as np
import pytest

from regularizers.errors import DataError

# blocks are made small, so that small tables have several
from regularizers.recipes.data import TableOptions, _delimited, load_labelled, load_samples

MEASURE = """
import resource, sys
from pathlib import Path
from regularizers.recipes.data import load_samples
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
samples = load_samples(Path(sys.argv[1]))
print((peak() - before) / Path(sys.argv[1]).stat().st_size, *samples.x.shape)
"""


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_delimited, "CELLS_AT_ONCE", 100)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_join_to_the_whole(tmp_path):
    x = np.random.default_rng(0).normal(size=(1000, 3))
    colours = [f"c{i * i % 7}" for i in range(1000)]
    lines = [
        f"{a!r},{b!r},{c!r},{k},{i % 3}"
        for i, ((a, b, c), k) in enumerate(zip(x.tolist(), colours, strict=True))
    ]
    (tmp_path / "x.csv").write_text("\n".join(["a,b,c,d,kind", *lines]))
    found = load_labelled(tmp_path / "x.csv", "kind", options=TableOptions(categorical=("d",)))
    np.testing.assert_array_equal(found.samples.x[:, :3], x)
    of = np.array(found.samples.features)[3:][found.samples.x[:, 3:].argmax(1)]
    assert of.tolist() == [f"d={colour}" for colour in colours]
    np.testing.assert_array_equal(found.y, np.arange(1000) % 3)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("row", [3, 500, 999])
def test_small_whole_numbers_take_four_bytes_until_a_block_needs_more(tmp_path, row):
    x = np.arange(3000.0).reshape(1000, 3) % 251
    text = "a,b,c\n" + "".join(f"{a:g},{b:g},{c:g}\n" for a, b, c in x)
    (tmp_path / "x.csv").write_text(text)
    found = load_samples(tmp_path / "x.csv")
    assert found.x.dtype == np.float32
    np.testing.assert_array_equal(found.x, x)
    x[row, 1] = 1700000000001
    text = "a,b,c\n" + "".join(f"{a!r},{b!r},{c!r}\n" for a, b, c in x.tolist())
    (tmp_path / "x.csv").write_text(text)
    found = load_samples(tmp_path / "x.csv")
    assert found.x.dtype == np.float64
    np.testing.assert_array_equal(found.x, x)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,x,3\n", r"line 802, column 2 \('b'\): expected a number, got 'x'"),
        ("1,1e999,3\n", r"line 802, column 2 \('b'\): .* got '1e999'"),
        ("1,9007199254740993,3\n", r"line 802, column 2 .* float64 holds"),
        ("1,2\n", "line 802: expected 3 columns, as in the header, got 2"),
        ("1,2,3,4\n", "line 802: expected 3 columns, as in the header, got 4"),
        ('1,"2,3\n', "line 802: expected quotes in pairs"),
        ("1,\u00e9,3\n".encode("latin-1"), "line 802: expected text in UTF-8, got the byte 0xe9"),
    ],
)
def test_a_fault_in_a_later_block_is_named_by_its_line(tmp_path, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    good = [f"{i},{i * i % 97},{i % 7}\n".encode() for i in range(1000)]
    (tmp_path / "x.csv").write_bytes(b"".join([b"a,b,c\n", *good[:800], line, *good[800:]]))
    with pytest.raises(DataError, match=message):
        load_samples(tmp_path / "x.csv")


@pytest.mark.parametrize("kind", ["fractions", "bytes"])
def test_a_table_takes_less_than_three_times_its_size(tmp_path, kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 50)) if kind == "fractions" else rng.integers(0, 256, (1600, 50))
    form = ".6f" if kind == "fractions" else "d"
    # a constant column is left out without another copy
    part = "".join("7," + ",".join(f"{v:{form}}" for v in row) + "\n" for row in x.tolist())
    header = ",".join(f"c{i}" for i in range(51)) + "\n"
    (tmp_path / "x.csv").write_text(header + part * 100)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "x.csv")],
        capture_output=True,
        text=True,
        check=True,
    )
    ratio, rows, columns = map(float, result.stdout.split())
    assert (rows, columns) == (100 * len(x), 50)
    assert ratio < 3, ratio
