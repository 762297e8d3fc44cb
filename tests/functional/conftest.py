import pytest

from penalties.arrays import BACKENDS, backend_name, in_float64


@pytest.fixture(params=BACKENDS, ids=backend_name)
def xp(request):
    with in_float64(request.param):
        yield request.param
