"""Parquet and Excel."""

import datetime

import numpy as np
import openpyxl
import pandas as pd

from recipes.awkward.case import LABELS, NAMES, ROWS, Case, X

T = {"target": "cls"}
GOOD = {"x": X, "y": LABELS, **T}


def frame(**columns):
    return pd.DataFrame({**dict(zip(NAMES, X.T, strict=True)), "cls": LABELS, **columns})


def parquet(**columns):
    return lambda path: frame(**columns).to_parquet(path)


def book(rows, **sheets):
    def write(path):
        made = openpyxl.Workbook()
        for row in rows:
            made.active.append(row)
        for name, others in sheets.items():
            sheet = made.create_sheet(name)
            for row in others:
                sheet.append(row)
        made.save(path)

    return write


SHEET = [[*NAMES, "cls"], *([*row, label] for row, label in zip(X.tolist(), LABELS, strict=True))]

CASES = [
    Case("Parquet", "x.parquet", parquet(), **GOOD),
    Case(
        "Parquet with true and false",
        "x.parquet",
        parquet(p=X[:, 0] > 0),
        x=np.column_stack([X[:, 0] > 0, X[:, 1:]]),
        y=LABELS,
        **T,
    ),
    Case(
        "Parquet with a hole",
        "x.parquet",
        parquet(q=[*X[:-1, 1], None]),
        **T,
        error=r"row 60, column 2 \('q'\): expected a number, got nothing; fill or drop",
    ),
    Case(
        "Parquet with infinity",
        "x.parquet",
        parquet(q=[np.inf, *X[1:, 1]]),
        **T,
        error=r"row 1, column 2 \('q'\): expected a finite number, got inf",
    ),
    Case(
        "Parquet with texts",
        "x.parquet",
        parquet(q=["red", "blue"] * 30),
        **T,
        error=r"column 2 \('q'\): .* got 'red' .* --categorical",
    ),
    Case(
        "Parquet with dates",
        "x.parquet",
        parquet(q=pd.date_range("2020", periods=ROWS)),
        **T,
        error=r"column 2 \('q'\): expected a number, got Timestamp.* --drop",
    ),
    Case(
        "Parquet with whole numbers above 2**53",
        "x.parquet",
        parquet(q=[2**53 + 1, *range(ROWS - 1)]),
        **T,
        error=r"row 1, column 2 \('q'\): .* got 9007199254740993",
    ),
    Case(
        "Parquet with whole classes",
        "x.parquet",
        parquet(cls=[i % 2 for i in range(ROWS)]),
        x=X,
        y=[str(i % 2) for i in range(ROWS)],
        **T,
    ),
    Case(
        "Parquet with a class missing",
        "x.parquet",
        parquet(cls=[None, *LABELS[1:]]),
        **T,
        error=r"row 1, column 5 \('cls'\): expected a class, got nothing",
    ),
    Case("no Parquet", "x.parquet", b"PAR1 and nothing else", **T, error="expected Parquet"),
    Case("Excel", "x.xlsx", book(SHEET), **GOOD),
    Case("Excel with an empty sheet", "x.xlsx", book(SHEET, empty=[]), **GOOD),
    Case(
        "Excel with two sheets",
        "x.xlsx",
        book(SHEET, more=SHEET),
        **T,
        error="expected one sheet with cells, got 'Sheet', 'more'",
    ),
    Case(
        "Excel with a hole",
        "x.xlsx",
        book([*SHEET, [1, None, 3, 4, "a"]]),
        **T,
        error=r"line 62, column 2 \('q'\): expected a number, got ''",
    ),
    Case("Excel with an empty row", "x.xlsx", book([SHEET[0], [None] * 5, *SHEET[1:]]), **GOOD),
    Case(
        "Excel with a date",
        "x.xlsx",
        book([*SHEET, [datetime.date(2020, 1, 2), 2, 3, 4, "a"]]),
        **T,
        error=r"line 62, column 1 \('p'\): expected a number, got '2020-01-02",
    ),
    Case(
        "Excel with a title",
        "x.xlsx",
        book([["Measured", *[None] * 4], *SHEET]),
        **T,
        error="line 1: .* got 'Measured' alone; take out",
    ),
    Case(
        "Excel with whole classes",
        "x.xlsx",
        book([SHEET[0], *([*row[:4], i % 2] for i, row in enumerate(SHEET[1:]))]),
        x=X,
        y=[str(i % 2) for i in range(ROWS)],
        **T,
    ),
    Case("no Excel", "x.xlsx", b"PK\x03\x04 and nothing else", **T, error="expected an Excel file"),
    Case("old Excel", "x.xls", b"\xd0\xcf\x11\xe0", **T, error=r"got the older .xls; save it as"),
]
