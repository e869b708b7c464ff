import fcntl

import pytest

from inspection_cell.shared_memory import remove_dead

DEAD = 'fastrtps_00112233445566aa'
ALIVE = 'fastrtps_ffeeddccbbaa9988'
OTHERS = ('fastrtps_port7661', 'sem.fastrtps_port7661_mutex', 'sem.mp-abc', 'pulse-shm-1')


@pytest.fixture
def folder(tmp_path):
    for segment in (DEAD, ALIVE, 'fastrtps_port32161', 'fastrtps_port32163'):
        (tmp_path / segment).touch()
        (tmp_path / f'{segment}_el').touch()
    for name in (*OTHERS, 'sem.fastrtps_port32161_mutex'):
        (tmp_path / name).touch()
    held = [(tmp_path / f'{name}_el').open() for name in (ALIVE, 'fastrtps_port32163')]
    for file in held:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield tmp_path
    for file in held:
        file.close()


def test_only_what_nobody_holds_in_this_domain_is_removed(folder):
    before = {path.name for path in folder.iterdir()}
    removed = remove_dead(99, folder)
    assert set(removed) == {
        DEAD, f'{DEAD}_el', 'fastrtps_port32161', 'fastrtps_port32161_el',
        'sem.fastrtps_port32161_mutex',
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == before - set(removed)


def test_a_machine_without_shared_memory_has_nothing_to_remove(tmp_path):
    assert remove_dead(99, tmp_path / 'no') == ()
