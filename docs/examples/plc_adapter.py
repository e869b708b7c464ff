"""A robot program or PLC that knows TCP sockets, but no ROS, leads an inspection cell.

    python plc_adapter.py --ros-args -r __ns:=/press_line -p port:=50010 -p bins:="[good, scrap]"

One connection is one robot. It sends a line and gets a line of numbers, as URScript reads them
with socket_read_ascii_float:

    begin <part_id> <part_type>  (1, x, y, z, rx, ry, rz) go there; (0, ...) refused
    capture                      (1, x, y, z, rx, ry, rz) go there; (2, ...) all captured; (0, ...)
    finish                       (n, released) the part goes into bin n, from 1; (0, 0) not known
    placed <n>                   (1) the part is in bin n, as told; (0) it should not be there

Poses are those of the part in the cell, metres and a rotation vector in radians. Whatever is not
answered, or with 0, means: put the part into the review bin. `inspect_part.script` is a program.
"""

import socketserver
import threading
from typing import Any

import rclpy
from geometry_msgs.msg import Pose
from inspection_cell_msgs.srv import BeginPart, CapturePresentation, FinishPart, PartPlaced
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from scipy.spatial.transform import Rotation

GO, ALL_CAPTURED, REFUSED = 1, 2, 0
ANSWERED_WITHIN_S = 60.0  # longer than the cell needs for any call
SERVICES = {
    'begin_part': BeginPart,
    'capture_presentation': CapturePresentation,
    'finish_part': FinishPart,
    'part_placed': PartPlaced,
}


class PlcAdapter(Node):
    """Calls the cell's services; a thread per connection waits for the answers."""

    def __init__(self, **more: Any) -> None:
        """Connect to the cell's services and open the port."""
        super().__init__('plc_adapter', **more)
        self.bins = list(self.declare_parameter('bins', ['good', 'scrap', 'review']).value)
        address = (
            self.declare_parameter('address', '127.0.0.1').value,
            self.declare_parameter('port', 50010).value,
        )
        self._calls = {name: self.create_client(kind, name) for name, kind in SERVICES.items()}
        self._server = socketserver.ThreadingTCPServer(address, Connection)
        self._server.daemon_threads = True
        self._server.adapter = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def call(self, service: str, **request: Any) -> Any:
        """The cell's answer; None when none comes."""
        answered = threading.Event()
        future = self._calls[service].call_async(SERVICES[service].Request(**request))
        future.add_done_callback(lambda _: answered.set())
        return future.result() if answered.wait(ANSWERED_WITHIN_S) else None

    def destroy_node(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        super().destroy_node()


class Connection(socketserver.StreamRequestHandler):
    """One robot: which inspection it is in, and which pose it was told to take."""

    inspection_id = ''
    presentation = ''

    def handle(self) -> None:
        """Answer line by line until the robot hangs up."""
        answers = {
            'begin': self.begin,
            'capture': self.capture,
            'finish': self.finish,
            'placed': self.placed,
        }
        for line in self.rfile:
            word, *rest = line.decode(errors='replace').split() or ['']
            try:
                numbers = answers[word](*rest)
            except (IndexError, KeyError, TypeError, ValueError):
                self.adapter.get_logger().error(f'not understood: {line!r}')
                numbers = (REFUSED,)
            self.wfile.write(f'({", ".join(f"{number:.9g}" for number in numbers)})\n'.encode())

    @property
    def adapter(self) -> PlcAdapter:
        """The node."""
        return self.server.adapter

    def begin(self, part_id: str, part_type: str) -> tuple[float, ...]:
        """The robot holds a part; where to go with it."""
        answer = self.adapter.call('begin_part', part_id=part_id, part_type=part_type)
        self.inspection_id = answer.inspection_id if answer else ''
        return self._next(answer)

    def capture(self) -> tuple[float, ...]:
        """The robot holds still where it was told to; where to go next."""
        return self._next(
            self.adapter.call(
                'capture_presentation',
                inspection_id=self.inspection_id,
                presentation=self.presentation,
                pose=CapturePresentation.Request.NOMINAL,
            )
        )

    def finish(self) -> tuple[float, ...]:
        """All poses are captured; into which bin the part goes, and whether it may pass."""
        answer = self.adapter.call('finish_part', inspection_id=self.inspection_id)
        if answer is None or answer.bin not in self.adapter.bins:
            return (0, 0)
        self.adapter.get_logger().info(f'{answer.bin}: {answer.message}')
        return (1 + self.adapter.bins.index(answer.bin), float(answer.release))

    def placed(self, number: str) -> tuple[float, ...]:
        """The robot has put the part down."""
        where = self.adapter.bins[int(number) - 1] if int(number) > 0 else ''
        answer = self.adapter.call('part_placed', inspection_id=self.inspection_id, bin=where)
        return (float(answer is not None and answer.ok),)

    def _next(self, answer: Any) -> tuple[float, ...]:
        if answer is None or not answer.ok:
            self.adapter.get_logger().error(answer.message if answer else 'the cell is silent')
            return (REFUSED, *[0.0] * 6)
        self.presentation = answer.presentation
        code = GO if answer.presentation else ALL_CAPTURED
        return (code, *numbers_of(answer.part_to_cell))


def numbers_of(pose: Pose) -> list[float]:
    """Position in metres and rotation vector in radians, as UR robots write a pose."""
    turn = pose.orientation
    vector = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_rotvec()
    return [pose.position.x, pose.position.y, pose.position.z, *vector]


def main() -> None:
    """Run the adapter."""
    rclpy.init()
    node = PlcAdapter()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
