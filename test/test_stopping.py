import subprocess
import sys

INTERRUPTED_IN_A_FINALIZER = """
import signal, time
from inspection_cell.cli import app

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        list(range(10))

def work(prog_name):
    Finalized()
    try:
        time.sleep(30)
    finally:
        print('cleaned up')

app.app = work
app.run_app()
"""


def test_ctrl_c_stops_the_command_even_when_it_comes_inside_a_finalizer():
    ended = subprocess.run(
        [sys.executable, '-c', INTERRUPTED_IN_A_FINALIZER],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, 'cleaned up\n', '')
