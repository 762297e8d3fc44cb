"""Files of data: tables, arrays and pictures as samples, right or with an error in words.

`load_samples` and `load_labelled` read what a recipe is trained on. What they return knows its
`Schema`, which reads further files of the same kind: `schema.rows_of(path)`.
"""

from __future__ import annotations

from regularizers.recipes.data._aside import Aside, read_aside
from regularizers.recipes.data._columns import Column
from regularizers.recipes.data._folders import is_folder_of_pictures
from regularizers.recipes.data._further import Further, read_further
from regularizers.recipes.data._load import (
    load_digits,
    load_labelled,
    load_labelled_digits,
    load_samples,
    load_with_labels,
    load_with_target,
)
from regularizers.recipes.data._options import TableOptions
from regularizers.recipes.data._samples import Labelled, Samples
from regularizers.recipes.data._schema import Schema
from regularizers.recipes.data._values import Floats

__all__ = [
    "Aside",
    "Column",
    "Floats",
    "Further",
    "Labelled",
    "Samples",
    "Schema",
    "TableOptions",
    "is_folder_of_pictures",
    "load_digits",
    "load_labelled",
    "load_labelled_digits",
    "load_samples",
    "load_with_labels",
    "load_with_target",
    "read_aside",
    "read_further",
]
