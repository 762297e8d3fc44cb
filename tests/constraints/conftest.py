import os

import pytest

from penalties.arrays import BACKENDS, backend_name, in_float64

os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture(params=BACKENDS, ids=backend_name)
def xp(request):
    with in_float64(request.param):
        yield request.param
