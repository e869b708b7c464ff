"""How a node of the cell runs: process shell, guarded lifecycle, and the edge of its workers.

`guarded` is the one place of the package that catches every exception: what a library throws in
a worker or a transition becomes a logged traceback and a status, never a dead node.
"""

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

import rclpy
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import (
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.params import CellParams, declare, refusal
from inspection_cell.nodes.starting import Starting

P = TypeVar('P', bound=CellParams)

STOP_WITHIN_S = 0.25  # a node that waits is woken as often, which takes about a millisecond


class Logger(Protocol):
    """The part of rclpy's logger that is used here."""

    def error(self, message: str) -> bool:
        """Log an error."""


def guarded(logger: Logger, what: str, action: Callable[[], None]) -> str:
    """Run `action`; return an empty string, or why it failed, after logging the traceback."""
    try:
        action()
    except InspectionCellError as error:
        why = told = str(error)
    except Exception as error:  # noqa: BLE001  # libraries raise anything; see the module's text
        why, told = f'{type(error).__name__}: {error}', traceback.format_exc()
    else:
        return ''
    logger.error(f'{what}: {told}')
    return why


class ManagedNode(LifecycleNode, Generic[P]):
    """A lifecycle node whose transitions may fail but never end the process.

    Subclasses override `configure`, `activate`, `deactivate`, `cleanup`; they raise to refuse.
    """

    def __init__(self, name: str, params: type[P]) -> None:
        """Declare the parameters and guard the transition service."""
        super().__init__(name)
        self.params = declare(self, params)
        self.heard_of_parameters: list[Callable[[], None]] = [self._take_log_level]
        self._take_log_level()
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._active = False
        # rclpy lets an invalid transition end the process (rclpy issue 1209).
        self._change_state_unguarded = self._service_change_state.callback
        self._service_change_state.callback = self._change_state

    def configure(self) -> None:
        """Load what is needed; raise to stay unconfigured."""

    def activate(self) -> None:
        """Begin to work; raise to stay inactive."""

    def deactivate(self) -> None:
        """Stop working."""

    def cleanup(self) -> None:
        """Forget what `configure` loaded."""

    @property
    def state(self) -> str:
        """Name of the lifecycle's state: unconfigured, inactive, active, finalized."""
        return str(self._state_machine.current_state[1])

    def start(self) -> None:
        """Configure and activate, if `autostart` says so; raises InspectionCellError."""
        Starting([self], lambda _: None).step()

    def close(self) -> None:
        """Stop working and give up what is held, whatever the state."""
        if self._active:
            self._transition('deactivate', self.deactivate)
            self._active = False
        self._transition('cleanup', self.cleanup)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Guarded `configure`."""
        return self._transition('configure', self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Guarded `activate`."""
        result = self._transition('activate', self.activate)
        self._active = result is TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Guarded `deactivate`."""
        self._active = False
        return self._transition('deactivate', self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Guarded `cleanup`."""
        return self._transition('cleanup', self.cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Guarded end from any state."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def _check_parameters(self, given: Sequence[Parameter]) -> SetParametersResult:
        why = refusal(type(self.params), given)
        return SetParametersResult(successful=not why, reason=why)

    def _take_parameters(self, given: Sequence[Parameter]) -> None:
        known = {entry.name for entry in fields(self.params)}
        changed: dict[str, Any] = {one.name: one.value for one in given if one.name in known}
        self.params = replace(self.params, **changed)
        for hear in self.heard_of_parameters:
            hear()

    def _take_log_level(self) -> None:
        if self.params.log_level:
            self.get_logger().set_level(LoggingSeverity[self.params.log_level.upper()])

    def _change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        problem = ''
        try:
            self._change_state_unguarded(request, response)
        except rclpy_implementation.RCLError as error:
            problem = str(error)
            response.success = False
        if problem:
            self.get_logger().error(f'transition {request.transition.id} refused: {problem}')
        return response

    def _transition(self, name: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        if guarded(self.get_logger(), name, action):
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS


class StopSignals:
    """Turns Ctrl-C and SIGTERM into an orderly end, while ROS still works.

    rclpy's own handlers shut ROS down at once: permits could not be withdrawn any more, and
    whatever is being sent or waited for raises.
    """

    def __init__(self) -> None:
        """Take over both signals."""
        self.asked = False
        self.interrupts = True  # until then nothing must be put away
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.interrupts:
            raise KeyboardInterrupt

    def allow(self, interrupts: bool) -> None:
        """Whether a signal ends at once what is being done; else `asked` is looked at."""
        self.interrupts = interrupts
        if interrupts and self.asked:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on nothing cuts the end short."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def run(*makes: Callable[[], ManagedNode[Any]]) -> int:
    """Run nodes until Ctrl-C or SIGTERM; return the exit status of the process.

    Args:
        makes: each creates a node, once ROS is initialised. Callbacks of one node never run at
            the same time, those of several do.
    """
    stop = StopSignals()
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    nodes: list[ManagedNode[Any]] = []
    several = len(makes) > 1
    executor = MultiThreadedExecutor(len(makes)) if several else SingleThreadedExecutor()
    try:
        for make in makes:
            nodes.append(make())
            executor.add_node(nodes[-1])
        stop.allow(False)  # what is half opened could not be closed
        starting = Starting(nodes, stop.allow)
        while not stop.asked:
            if not starting.is_done:
                starting.step()
            executor.spin_once(timeout_sec=STOP_WITHIN_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except InspectionCellError as error:
        rclpy.logging.get_logger('inspection_cell').fatal(str(error))
        return 1
    finally:
        stop.ignore()
        for node in reversed(nodes):
            node.close()
            node.destroy_node()
        if several:
            executor.shutdown()  # last: what ends in a node's threads is still handed to it
        rclpy.try_shutdown()
    return 0
