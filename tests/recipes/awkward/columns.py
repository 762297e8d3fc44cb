"""Text files: cells that are no plain numbers, columns that are chosen, classes as texts."""

from recipes.awkward.case import CELLS, LABELS, ROWS, Case, X, first_column, table

GOOD = {"y": LABELS, "target": "cls"}
T = {"target": "cls"}
COLOURS = [("red", "green", "blue")[i % 3] for i in range(ROWS)]
ONE_HOT = [
    [float(c == k) for k in ("blue", "green", "red")] + [*row[1:]]
    for c, row in zip(COLOURS, X.tolist(), strict=True)
]


def classes(*texts: str) -> dict:
    labels = [texts[i % len(texts)] for i in range(ROWS)]
    return {"content": table(labels=labels), "x": X, "y": labels, **T}


def cell(text: str, error: str, **more) -> dict:
    """A table with one more line that begins so."""
    return {"content": table() + f"{text},1,2,3,a\n", **T, "error": error, **more}


MISSING = r"line 62, column 1 \('p'\): expected a number, got {}; fill or drop what is missing"

CASES = [
    Case("an empty cell", "x.csv", **cell("", MISSING.format("''"))),
    Case("NA", "x.csv", **cell("NA", MISSING.format("'NA'"))),
    Case("a question mark", "x.csv", **cell("?", MISSING.format(r"'\?'"))),
    Case("nan", "x.csv", **cell("nan", MISSING.format("'nan'"))),
    Case("inf", "x.csv", **cell("-inf", MISSING.format("'-inf'"))),
    Case("1e400", "x.csv", **cell("1e400", "line 62, .* got '1e400'; scale the column")),
    Case(
        "1e39", "x.csv", table() + "1e39,1,2,3,a\n", x=[*X, [1e39, 1, 2, 3]], y=[*LABELS, "a"], **T
    ),
    Case(
        "a whole number above 2**53",
        "x.csv",
        **cell("9007199254740993", r"line 62, .* up to 2\*\*53, got '9007199254740993'.*--drop"),
    ),
    Case(
        "an even number above 2**53",
        "x.csv",
        table() + "9007199254740994,1,2,3,a\n",
        x=[*X, [9007199254740994, 1, 2, 3]],
        y=[*LABELS, "a"],
        **T,
    ),
    Case(
        "thousands in quotes", "x.csv", **cell('"1,234"', "line 62, .* got '1,234'; say --decimal")
    ),
    Case(
        "thousands and decimals", "x.csv", **cell('"1,234.5"', "'1,234.5'; write numbers without")
    ),
    Case("thousands with underscores", "x.csv", **cell("1_000", "'1_000'; write numbers without")),
    Case(
        "a non-breaking space",
        "x.csv",
        **cell("1\u00a0234", r"line 62, .*: expected a number, got '1\\xa0234'; write numbers"),
    ),
    Case("Arabic digits", "x.csv", **cell("١٢", "line 62, .* expected a number")),
    Case("hexadecimal", "x.csv", **cell("0x1F", "line 62, .* expected a number, got '0x1F'")),
    Case("per cent", "x.csv", **cell("12%", "line 62, .* expected a number, got '12%'")),
    Case("an error of Excel", "x.csv", **cell("#DIV/0!", "line 62, .* got '#DIV/0!'")),
    Case(
        "dates",
        "x.csv",
        table(cells=first_column([f"2020-01-{i % 28 + 1:02d}" for i in range(ROWS)])),
        **T,
        error="line 2, .* got '2020-01-01'; leave out a column of dates with --drop",
    ),
    Case(
        "dates left out",
        "x.csv",
        table(cells=first_column([f"2020-01-{i % 28 + 1:02d}" for i in range(ROWS)])),
        x=X[:, 1:],
        **GOOD,
        options={"drop": ("p",)},
    ),
    Case(
        "texts",
        "x.csv",
        table(cells=first_column(COLOURS)),
        **T,
        error="line 2, .* got 'red'; .* --categorical, or leave it out with --drop",
    ),
    Case(
        "texts as categories",
        "x.csv",
        table(cells=first_column(COLOURS)),
        x=ONE_HOT,
        **GOOD,
        options={"categorical": ("p",)},
    ),
    Case(
        "numbers as categories",
        "x.csv",
        table(cells=first_column(["1e2", "100"] * 30)),
        x=[[float(i % 2), float(i % 2 == 0), *row[1:]] for i, row in enumerate(X.tolist())],
        **GOOD,
        options={"categorical": ("p",)},
    ),
    Case(
        "an empty category",
        "x.csv",
        table(cells=first_column(["", *COLOURS[1:]])),
        **T,
        options={"categorical": ("p",)},
        error=r"line 2, column 1 \('p'\): expected a category",
    ),
    Case(
        "one category",
        "x.csv",
        table(cells=first_column("red")),
        x=X[:, 1:],
        **GOOD,
        options={"categorical": ("p",)},
        notes="'red' in every row",
    ),
    Case(
        "true and false",
        "x.csv",
        table(cells=first_column(["True", "FALSE", "true"] * 20)),
        x=[[float(i % 3 != 1), *row[1:]] for i, row in enumerate(X.tolist())],
        **GOOD,
    ),
    Case(
        "a number among true and false",
        "x.csv",
        table(cells=first_column(["True"] * 30 + ["1"] * 30)),
        **T,
        error="line 32, .* expected true or false, as above it, got '1'",
    ),
    Case(
        "always the same number",
        "x.csv",
        table(cells=first_column("0.1")),
        x=X[:, 1:],
        **GOOD,
        notes=r"column 1 \('p'\) is left out: 0.1 in every row",
    ),
    Case(
        "always true",
        "x.csv",
        table(cells=first_column("True")),
        x=X[:, 1:],
        **GOOD,
        notes=r"column 1 \('p'\) is left out: 1 in every row",
    ),
    Case(
        "every column the same",
        "x.csv",
        table(cells=[["1", "2"]] * ROWS, header="p,q,cls"),
        **T,
        error="columns whose values differ, got none",
    ),
    Case(
        "timestamps",
        "x.csv",
        table(cells=first_column([str(1700000000000 + i) for i in range(ROWS)])),
        x=[[1700000000000 + i, *row[1:]] for i, row in enumerate(X.tolist())],
        **GOOD,
    ),
    Case(
        "seventeen digits",
        "x.csv",
        table(cells=first_column([repr(i / 7) for i in range(ROWS)])),
        x=[[i / 7, *row[1:]] for i, row in enumerate(X.tolist())],
        **GOOD,
    ),
    Case(
        "signs and powers of ten",
        "x.csv",
        table(cells=first_column(["+1.5E+02", "-.5", "2."] * 20)),
        x=[[(150, -0.5, 2)[i % 3], *row[1:]] for i, row in enumerate(X.tolist())],
        **GOOD,
    ),
    Case("some columns", "x.csv", table(), x=X[:, [0, 2]], **GOOD, options={"columns": ("r", "p")}),
    Case(
        "some columns by number",
        "x.csv",
        table(None),
        x=X[:, [0, 2]],
        y=LABELS,
        target="5",
        options={"columns": ("3", "1")},
    ),
    Case(
        "no such column to drop",
        "x.csv",
        table(),
        **T,
        options={"drop": ("t",)},
        error="expected --drop to be the name of a column, .* got 't'",
    ),
    Case(
        "the target dropped",
        "x.csv",
        table(),
        **T,
        options={"drop": ("cls",)},
        error="expected --drop to name features, got the target 'cls'",
    ),
    Case(
        "the target alone",
        "x.csv",
        "cls\n" + "a\nb\n" * 20,
        **T,
        error="columns beside the target 'cls', got none",
    ),
    Case(
        "pixels in a row",
        "x.csv",
        table(None, [[str((i * j) % 256) for j in range(9)] for i in range(ROWS)], None),
        x=[[(i * j) % 256 for j in range(1, 9)] for i in range(ROWS)],
        notes="0 in every row",
    ),
    Case(
        "pixels in a row, told",
        "x.csv",
        table(None, [[str((i * j) % 256) for j in range(9)] for i in range(ROWS)], None),
        x=[[(i * j) % 256 for j in range(9)] for i in range(ROWS)],
        options={"picture": (3, 3)},
        picture=(3, 3),
        largest=255.0,
    ),
    Case(
        "a picture of another size",
        "x.csv",
        table(None, labels=None),
        options={"picture": (3, 3)},
        error="--picture 3 3 of 9 columns, got 4",
    ),
    Case("classes 1e2, 100 and 0100", "x.csv", **classes("1e2", "100", "0100")),
    Case("classes 1_1 and 11", "x.csv", **classes("1_1", "11")),
    Case("classes of many digits", "x.csv", **classes("4006381333931", "40063813339310000001")),
    Case("classes 1 and 1.0", "x.csv", **classes("1", "1.0")),
    Case("classes True and 1", "x.csv", **classes("True", "1")),
    Case(
        "classes with HTML and commas",
        "x.csv",
        table(labels=['"<i>a, b</i>"', "c"] * 30),
        x=X,
        y=["<i>a, b</i>", "c"] * 30,
        **T,
    ),
    Case(
        "a class NA",
        "x.csv",
        table(labels=["NA", *LABELS[1:]]),
        **T,
        error=r"line 2, column 5 \('cls'\): expected a class, got 'NA', .* --categorical cls",
    ),
    Case(
        "a class nan",
        "x.csv",
        table(labels=[*LABELS[:-1], "nan"]),
        **T,
        error=r"line 61, .* expected a class, got 'nan', which often stands for a missing",
    ),
    Case(
        "Namibia told to be a class",
        "x.csv",
        **{**classes("NA", "ZA", "BW"), "options": {"categorical": ("cls",)}},
    ),
    Case(
        "no class",
        "x.csv",
        table(labels=["", *LABELS[1:]]),
        **T,
        error=r"line 2, column 5 \('cls'\): expected a class, got ''",
    ),
    Case("one class", "x.csv", table(labels=["a"] * ROWS), **T, error="got 'a' alone"),
    Case(
        "a class of one sample",
        "x.csv",
        table(labels=["z", *LABELS[1:]]),
        **T,
        error="got one of 'z'; drop or merge",
    ),
    Case(
        "an amount as the target",
        "x.csv",
        table(labels=[c[0] for c in CELLS]),
        **T,
        error="an amount into classes first",
    ),
]
