import os

import pytest
from hypothesis import HealthCheck, settings

from penalties.arrays import BACKENDS, backend_name, in_float64

os.environ.setdefault("KERAS_BACKEND", "torch")

settings.register_profile(
    "penalties",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(params=BACKENDS, ids=backend_name)
def xp(request):
    with in_float64(request.param):
        yield request.param
