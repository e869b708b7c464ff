"""A service by which something is loaded beside what is in use, and then put in its place."""

from typing import Any, Generic, TypeVar

from rclpy.callback_groups import ReentrantCallbackGroup

from inspection_cell.nodes.background import Background
from inspection_cell.nodes.run import ManagedNode

T = TypeVar('T')


class Exchange(Generic[T]):
    """Answers one request at a time, and refuses the others at once.

    Subclasses load in the thread of `loading`; the exchange itself happens in the executor.
    """

    busy: str  # what others are told while one request waits

    def __init__(self, node: ManagedNode[Any], kind: type[Any], service: str) -> None:
        """Offer the service."""
        self._node = node
        self._loading: Background[T] = Background(node, service)
        self._answering = False
        self._closed = False
        # Reentrant: while one request waits, others are refused at once.
        self._service = node.create_service(
            kind, service, self._on_request, callback_group=ReentrantCallbackGroup()
        )

    def close(self) -> None:
        """Take the service back; what is being loaded is not used any more."""
        self._closed = True
        self._loading.join()
        if not self._answering:
            self._node.destroy_service(self._service)

    async def _answer(self, request: Any, response: Any) -> None:
        """Load, exchange, and fill in the response."""
        raise NotImplementedError

    def _complete(self, request: Any, response: Any) -> None:
        """What every answer gets, a refusal too."""

    async def _on_request(self, request: Any, response: Any) -> Any:
        if self._answering or self._loading.is_busy:
            response.message = self.busy
        else:
            self._answering = True
            try:
                await self._answer(request, response)
            finally:
                self._answering = False
        self._complete(request, response)
        # Once this answer is on its way; another request's answer may still need the service.
        if self._closed and not self._answering and self._node.executor is not None:
            self._node.executor.create_task(self._node.destroy_service, self._service)
        return response
