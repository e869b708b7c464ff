"""The command's edge: its commands, its exit statuses, and errors without a traceback."""

import signal
import sys
from types import FrameType

import typer

from inspection_cell.cli.bench_commands import bench
from inspection_cell.cli.cell_commands import demo, replay, run
from inspection_cell.cli.console import say_error
from inspection_cell.cli.doctor_command import doctor
from inspection_cell.cli.evaluation_commands import evaluate
from inspection_cell.cli.file_commands import check, env
from inspection_cell.cli.gazebo_command import gazebo
from inspection_cell.cli.inspection_commands import detect, surface
from inspection_cell.cli.learning_commands import synthesize
from inspection_cell.cli.model_commands import export, promote
from inspection_cell.cli.policy_command import policy
from inspection_cell.cli.recipe_commands import recipe_app
from inspection_cell.cli.recipe_load_command import load_recipe
from inspection_cell.cli.record_commands import explain, judge
from inspection_cell.cli.reference_command import learn_reference
from inspection_cell.cli.swap_command import swap_model
from inspection_cell.cli.training_command import train
from inspection_cell.errors import InspectionCellError

FULL_INSTALL = "make setup, or pip install 'inspection_cell[train]'"
TRAIN_PACKAGES = ('nncf', 'onnx', 'pycocotools', 'sklearn', 'torch', 'ultralytics')

app = typer.Typer(
    help='Robotic inspection cell: every part gets one proven verdict.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    demo,
    run,
    replay,
    swap_model,
    load_recipe,
    surface,
    detect,
    synthesize,
    train,
    evaluate,
    export,
    promote,
    learn_reference,
    explain,
    judge,
    check,
    gazebo,
    doctor,
    env,
    policy,
    bench,
):
    app.command()(command)
app.add_typer(recipe_app, name='recipe')


def run_app() -> None:
    """Exit status: 0 done or Ctrl-C, 1 bad input or a failed check, 2 usage."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    sys.unraisablehook = _stop_again
    try:
        app(prog_name='inspection_cell')
    except InspectionCellError as error:
        say_error(str(error))
        sys.exit(1)
    except OSError as error:  # a file where a folder should be, a full disk
        say_error(f'{error.filename}: {error.strerror}' if error.filename else str(error))
        sys.exit(1)
    except ModuleNotFoundError as error:
        package = (error.name or '').partition('.')[0]
        if package not in TRAIN_PACKAGES:
            raise
        say_error(f'this needs {package}, which only the full install has: {FULL_INSTALL}')
        sys.exit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    """Unwind, so that every child is ended, and exit 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not orphan the nodes
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _stop_again(lost: 'sys.UnraisableHookArgs') -> None:
    """Raise once more what Python drops when a signal comes inside a finalizer."""
    if lost.exc_type is not SystemExit:
        sys.__unraisablehook__(lost)
        return
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, 0.01)  # after the finalizer has returned
