"""Every test of this folder runs in a ROS domain of its own, on this machine only."""

import random
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_ROS = find_spec('rclpy') is not None and find_spec('inspection_cell_msgs') is not None
DOMAINS = range(1, 101)  # above, DDS would use ports that Linux also hands out


class ModuleWithoutRos(pytest.Module):
    """A test module that cannot even be imported."""

    def collect(self):
        pytest.skip('rclpy or inspection_cell_msgs is missing: run `make setup`, or source ROS 2')


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector):
    if HAS_ROS:
        return None
    return ModuleWithoutRos.from_parent(parent, path=module_path)


def reserve_domain() -> tuple[int, socket.socket]:
    """A domain that no other test on this machine holds, until the socket is closed."""
    for domain in random.sample(DOMAINS, len(DOMAINS)):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(f'\0inspection_cell_test_domain_{domain}')
        except OSError:
            lock.close()
        else:
            return domain, lock
    pytest.fail('all ROS domains are held by other tests')


@pytest.fixture(autouse=True)
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The test's own ROS_DOMAIN_ID, which processes that it starts inherit."""
    domain, lock = reserve_domain()
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.delenv('ROS_LOCALHOST_ONLY', raising=False)
    with lock:
        yield domain


@pytest.fixture
def ros(ros_domain: int) -> Iterator[None]:
    """An initialised rclpy, shut down after the test."""
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()
