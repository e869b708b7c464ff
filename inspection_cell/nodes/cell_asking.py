"""Asking a running cell for something, by a service that one of its nodes offers."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.params import declare, parameter

POLL_S = 0.1
SETTLE_S = 1.0  # after the first cell was seen, others may still be discovered


@dataclass(frozen=True, slots=True)
class AskParams:
    """What every node that asks a cell is told."""

    find_timeout_s: float = parameter(
        15.0, 'Longest wait for the cell to be found, s.', low=0.0, high=3600.0
    )
    answer_timeout_s: float = parameter(
        300.0, 'Longest wait for the answer, s.', low=1.0, high=3600.0
    )


P = TypeVar('P', bound=AskParams)


class CellAsking(Node, Generic[P]):
    """Calls a service of its namespace; in the root namespace, of the only cell there is."""

    def __init__(self, name: str, params: type[P]) -> None:
        """Declare the parameters."""
        super().__init__(name)
        self.params = declare(self, params)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)

    def ask(self, kind: type[Any], service: str, request: object) -> Any:
        """The cell's answer; raises InspectionCellError when none comes."""
        name = self._full_name(f'inspection_cell_msgs/srv/{kind.__name__}', service)
        client = self.create_client(kind, name)
        if not client.wait_for_service(self.params.find_timeout_s):
            limit_s = self.params.find_timeout_s
            raise InspectionCellError(f'nobody serves {name} within {limit_s:g} s: does it run?')
        future = client.call_async(request)
        self._spinner.spin_until_future_complete(future, self.params.answer_timeout_s)
        if not future.done():
            raise InspectionCellError(f'{name}: no answer in {self.params.answer_timeout_s:g} s')
        return future.result()

    def tell(self, answer: Any, *names: str) -> None:
        """Write an answer as one JSON line; raises InspectionCellError when it is a refusal."""
        told = {name: getattr(answer, name) for name in ('success', 'message', *names)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + '\n')
        sys.stdout.flush()
        if not answer.success:
            raise InspectionCellError(answer.message)

    def _full_name(self, kind: str, service: str) -> str:
        own: str = self.resolve_service_name(service)
        if self.get_namespace() != '/':
            return own
        cells: list[str] = []
        end_s = time.monotonic() + self.params.find_timeout_s
        while not cells and time.monotonic() < end_s:
            self._spinner.spin_once(timeout_sec=POLL_S)
            cells = self._offered(kind)
        if cells:
            time.sleep(min(SETTLE_S, self.params.find_timeout_s))
            cells = self._offered(kind)
        if len(cells) > 1:
            names = ', '.join(cell.removesuffix(f'/{service}') or '/' for cell in cells)
            raise InspectionCellError(f'several cells run: expected the namespace of one: {names}')
        return cells[0] if cells else own

    def _offered(self, kind: str) -> list[str]:
        services = self.get_service_names_and_types()
        return [name for name, types in services if kind in types]
