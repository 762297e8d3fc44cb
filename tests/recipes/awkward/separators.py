"""Text files: separators, ends of lines, encodings, quotes."""

import codecs

from recipes.awkward.case import CELLS, LABELS, Case, X, gz, table

GOOD = {"x": X, "y": LABELS, "target": "cls"}
T = {"target": "cls"}
COMMAS = [[cell.replace(".", ",") for cell in row] for row in CELLS]
TEXT = table()
LINES = TEXT.splitlines(keepends=True)


def with_line(number: int, line: str) -> str:
    return "".join([*LINES[: number - 1], line, *LINES[number - 1 :]])


CASES = [
    Case("plain", "x.csv", TEXT, **GOOD),
    Case("suffix in upper case", "X.CSV", TEXT, **GOOD),
    Case("suffix of text", "x.txt", TEXT, **GOOD),
    Case("tabs, .tsv", "x.tsv", table(sep="\t"), **GOOD),
    Case("tabs, .csv", "x.csv", table(sep="\t"), **GOOD),
    Case("tabs in gzip, upper case", "X.TSV.GZ", gz(table(sep="\t")), **GOOD),
    Case("semicolons", "x.csv", table(sep=";"), **GOOD),
    Case("decimal commas", "x.csv", table(cells=COMMAS, sep=";"), **GOOD, options={"decimal": ","}),
    Case(
        "decimal commas untold",
        "x.csv",
        table(cells=COMMAS, sep=";"),
        **T,
        error=r"line 2, column 1 \('p'\): expected a number, got '0,1257'; say --decimal ,",
    ),
    Case(
        "decimal commas without names",
        "x.csv",
        table(None, COMMAS, None, sep=";"),
        error="expected one separator .* comma and semicolon .* --separator",
    ),
    Case(
        "points where commas were told",
        "x.csv",
        table(sep=";"),
        **T,
        options={"decimal": ","},
        error=r"line 2, column 1 \('p'\): expected a number, got '0.1257'",
    ),
    Case("spaces", "x.csv", table(sep=" "), **T, error="none of comma, tab and .* --separator"),
    Case("spaces told", "x.csv", table(sep=" "), **GOOD, options={"separator": "space"}),
    Case("aligned by spaces", "x.txt", table(sep="   "), **GOOD, options={"separator": "space"}),
    Case("bars", "x.csv", table(sep="|"), **T, error="got none of comma, .* --separator"),
    Case("bars told", "x.csv", table(sep="|"), **GOOD, options={"separator": "|"}),
    Case("a line that states the separator", "x.csv", "sep=;\n" + table(sep=";"), **GOOD),
    Case("a byte order mark", "x.csv", codecs.BOM_UTF8 + TEXT.encode(), **GOOD),
    Case("UTF-16", "x.csv", TEXT.encode("utf-16"), **GOOD),
    Case("UTF-16, big end first", "x.csv", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), **GOOD),
    Case(
        "UTF-16 without a mark",
        "x.csv",
        TEXT.encode("utf-16-le"),
        **T,
        error="line 1: expected text, got a NUL .* save the file anew",
    ),
    Case(
        "Latin-1",
        "x.csv",
        with_line(9, "1,2,3,4,é\n").encode("latin-1"),
        **T,
        error="line 9: expected text in UTF-8, got the byte 0xe9",
    ),
    Case("ends of Windows", "x.csv", table(end="\r\n"), **GOOD),
    Case("ends of old Macs", "x.csv", table(end="\r"), **GOOD),
    Case("blank lines", "x.csv", "\n\n" + with_line(5, "\n") + "\n  \n\n", **GOOD),
    Case("quoted names with a comma", "x.csv", table('"p","q, mm","r","s","cls"'), **GOOD),
    Case("spaces before quotes", "x.csv", table('"p", "q, mm", "r", "s", "cls"'), **GOOD),
    Case("a name of two lines", "x.csv", table('"p","q\n(mm)","r","s","cls"'), **GOOD),
    Case("a line separator of Unicode", "x.csv", table("p,q\u2028x,r,s,cls"), **GOOD),
    Case(
        "every cell quoted",
        "x.csv",
        table('"p","q","r","s","cls"', [[f'"{c}"' for c in row] for row in CELLS], LABELS),
        **GOOD,
    ),
    Case(
        "a stray quote",
        "x.csv",
        with_line(30, '"0.1,1,2,3,a\n') * 3,
        **T,
        error="line 30: expected quotes in pairs",
    ),
    Case(
        "two stray quotes that swallow lines",
        "x.csv",
        table(labels=[*LABELS[:4], '"a', *LABELS[5:8], '"a', *LABELS[9:]]),
        **T,
        error="line 6: expected quotes in pairs",
    ),
    Case(
        "a quoted class of two lines",
        "x.csv",
        table(labels=['"a\nb"', *LABELS[1:]]),
        **T,
        error=r"line 2, column 5 \('cls'\): expected a class, got text with a line break",
    ),
    Case(
        "a quote within a class",
        "x.csv",
        table(labels=[f'{c}"1' for c in LABELS]),
        x=X,
        y=[f'{c}"1' for c in LABELS],
        **T,
    ),
    Case(
        "NUL",
        "x.csv",
        with_line(8, "0.1,1,2,\0,a\n"),
        **T,
        error="line 8: expected text, got a NUL",
    ),
    Case(
        "a comment first",
        "x.csv",
        "# made by a tool\n# today, at noon\n" + TEXT,
        **GOOD,
        notes="line 1: a comment, not read: # made by a tool",
    ),
    Case(
        "a comment within",
        "x.csv",
        with_line(20, "# checked up to here\n"),
        **T,
        error="line 20: expected 5 columns, as in the header, got 1",
    ),
    Case(
        "a line too long",
        "x.csv",
        with_line(12, "1,2,3,4,a,6\n"),
        **T,
        error="line 12: expected 5 columns, as in the header, got 6",
    ),
    Case(
        "a line too short",
        "x.csv",
        with_line(12, "1,2,3,a\n"),
        **T,
        error="line 12: expected 5 columns, as in the header, got 4",
    ),
    Case(
        "a line too short where the last column is not used",
        "x.csv",
        table("p,q,r,s,cls,note", labels=[f"{c},x" for c in LABELS]) + "1,2,3,4,a\n",
        **T,
        options={"drop": ("note",)},
        error="line 62: expected 6 columns, as in the header, got 5",
    ),
    Case(
        "all lines longer than the header",
        "x.csv",
        table("p,q,r,s"),
        target="s",
        error="line 2: expected 4 columns, as in the header, got 5",
    ),
    Case("a comma at each end", "x.csv", TEXT.replace("\n", ",\n"), **GOOD, notes="no cell in any"),
    Case("compressed without the suffix", "x.csv", gz(TEXT), **GOOD),
    Case("not compressed with the suffix", "x.csv.gz", TEXT, **GOOD),
    Case("compressed twice", "x.csv.gz", gz(gz(TEXT)), **T, error="once, got twice; unpack it"),
    Case("gzip cut short", "x.csv.gz", gz(TEXT)[:-20], **T, error="cannot be read"),
    Case("empty", "x.csv", "", **T, error="expected samples, got an empty file"),
    Case("a header alone", "x.csv", "p,q,r,s,cls\n", **T, error="expected rows of numbers, got no"),
    Case("one sample", "x.csv", "".join(LINES[:2]), **T, error="at least 10 samples, got 1"),
    Case("a zip archive", "x.csv", b"PK\x03\x04" + b"0" * 40, **T, error="got a zip archive; unp"),
    Case("no table", "x.json", '{"p": [1, 2]}', error="expected .*, got something else"),
]
