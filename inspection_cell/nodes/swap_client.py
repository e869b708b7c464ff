"""Asks a running cell to exchange a detector; prints the answer as one JSON line on stdout."""

import json
import sys
import time
from dataclasses import dataclass

from inspection_cell_msgs.srv import SwapModel
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.params import declare, parameter
from inspection_cell.nodes.task import run_task

SERVICE = 'swap_model'
SWAP_WITHIN_S = 120.0  # a model that is not loaded by then is not used
POLL_S = 0.1
SETTLE_S = 1.0  # after the first cell was seen, others may still be discovered
TYPE = 'inspection_cell_msgs/srv/SwapModel'


@dataclass(frozen=True, slots=True)
class SwapParams:
    """What the swap client is told."""

    part_type: str = parameter('', 'Name of the recipe whose detector is exchanged.')
    model: str = parameter(
        '', 'Path of the model folder; empty: the promoted one, or the one that the recipe names.'
    )
    find_timeout_s: float = parameter(
        15.0, 'Longest wait for the cell to be found, s.', low=0.0, high=3600.0
    )
    swap_timeout_s: float = parameter(
        SWAP_WITHIN_S + 10.0, 'Longest wait for the answer, s.', low=1.0, high=3600.0
    )


class SwapClient(Node):
    """Calls `swap_model` of its namespace; in the root namespace, of the only cell there is."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('swap_client')
        self.params = declare(self, SwapParams)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)

    def ask(self) -> SwapModel.Response:
        """The cell's answer; raises InspectionCellError when none comes."""
        name = self._service_name()
        client = self.create_client(SwapModel, name)
        if not client.wait_for_service(self.params.find_timeout_s):
            limit_s = self.params.find_timeout_s
            raise InspectionCellError(f'nobody serves {name} within {limit_s:g} s: does it run?')
        request = SwapModel.Request(part_type=self.params.part_type, model=self.params.model)
        future = client.call_async(request)
        self._spinner.spin_until_future_complete(future, self.params.swap_timeout_s)
        if not future.done():
            raise InspectionCellError(f'{name}: no answer in {self.params.swap_timeout_s:g} s')
        answer: SwapModel.Response = future.result()
        return answer

    def _service_name(self) -> str:
        own: str = self.resolve_service_name(SERVICE)
        if self.get_namespace() != '/':
            return own
        cells: list[str] = []
        end_s = time.monotonic() + self.params.find_timeout_s
        while not cells and time.monotonic() < end_s:
            self._spinner.spin_once(timeout_sec=POLL_S)
            cells = self._offered()
        if cells:
            time.sleep(min(SETTLE_S, self.params.find_timeout_s))
            cells = self._offered()
        if len(cells) > 1:
            names = ', '.join(cell.removesuffix(f'/{SERVICE}') or '/' for cell in cells)
            raise InspectionCellError(f'several cells run: expected the namespace of one: {names}')
        return cells[0] if cells else own

    def _offered(self) -> list[str]:
        services = self.get_service_names_and_types()
        return [name for name, types in services if TYPE in types]


def swap(node: SwapClient) -> None:
    """Ask once; raises InspectionCellError when the model was refused."""
    answer = node.ask()
    told = {name: getattr(answer, name) for name in ('success', 'message', 'model_hash')}
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + '\n')
    sys.stdout.flush()
    if not answer.success:
        raise InspectionCellError(answer.message)


def main() -> int:
    """Run the client; exit status 1 when no model was exchanged."""
    return run_task(SwapClient, swap)


if __name__ == '__main__':
    sys.exit(main())
