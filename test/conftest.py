"""What takes long to compute is kept for all tests of a session, also by the nodes they start."""

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How long examples take to make depends on what else the machine does.
settings.register_profile(
    'any_machine', deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile('any_machine')
_KEPT = tempfile.TemporaryDirectory(prefix='inspection_cell_cache_')
os.environ.setdefault('INSPECTION_CELL_CACHE', _KEPT.name)


@pytest.fixture(scope='session', autouse=True)
def _kept_cache():
    yield
    _KEPT.cleanup()
