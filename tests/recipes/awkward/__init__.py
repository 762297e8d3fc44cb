"""Awkward files with the truth beside them: what is in each, or what must be said of it.

A case writes a file into a folder. It states the samples and the classes that are in the file, or
the message of the error that is right. `texts.py` is the place for cases of language models.
"""

from recipes.awkward import (
    arrays,
    columns,
    headers,
    labels,
    lookalikes,
    pictures,
    separators,
    typed,
)
from recipes.awkward.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for module in (separators, headers, columns, typed, arrays, pictures, labels, lookalikes)
    for case in module.CASES
}
