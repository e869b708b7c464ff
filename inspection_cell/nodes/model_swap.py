"""The service `swap_model`: a new model is loaded beside the old one and put in its place."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

from inspection_cell_msgs.srv import SwapModel
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.task import Future

from inspection_cell.nodes.run import ManagedNode, guarded
from inspection_cell.nodes.swap_client import SERVICE, SWAP_WITHIN_S  # the client stays light
from inspection_cell.views.running_models import RunningModel, RunningModels

JOIN_S = 8.0  # less than a child process is given to end


class ModelSwap:
    """Exchanges models while the node works, one at a time.

    A thread loads; the exchange itself happens in the executor, as the binding of an inspection
    to its model does: never within one inspection.
    """

    def __init__(self, node: ManagedNode[Any], models: RunningModels) -> None:
        """Offer the service."""
        self._node = node
        self._models = models
        self._loading: threading.Thread | None = None
        self._answering = False
        self._closed = False
        # Reentrant: while one request waits for its model, others are refused at once.
        self._service = node.create_service(
            SwapModel, SERVICE, self._on_request, callback_group=ReentrantCallbackGroup()
        )

    def close(self) -> None:
        """Take the service back; a model that is being loaded is not used any more."""
        self._closed = True
        if self._loading is not None:
            self._loading.join(JOIN_S)
        if not self._answering:
            self._node.destroy_service(self._service)

    async def _on_request(
        self, request: SwapModel.Request, response: SwapModel.Response
    ) -> SwapModel.Response:
        if self._answering or (self._loading is not None and self._loading.is_alive()):
            response.message = 'another model is being loaded; ask again when it runs'
        else:
            self._answering = True
            response.success, response.message = self._exchanged(*await self._loaded(request))
            self._answering = False
        response.model_hash = self._models.hash_of(request.part_type)
        self._tell(response)
        if self._closed and self._node.executor is not None:  # once this answer is on its way
            self._node.executor.create_task(self._node.destroy_service, self._service)
        return response

    def _exchanged(self, model: RunningModel | None, why: str) -> tuple[bool, str]:
        """Whether the model runs from now on, and which one, or why not."""
        if model is None:
            return False, why
        if self._closed:
            return False, 'the node is being deactivated'
        self._models.put(model)
        return True, str(model)

    def _loaded(self, request: SwapModel.Request) -> Future:
        """A future (model or None, why not), settled by the thread or when its time is over."""
        executor = self._node.executor
        future = Future(executor=executor)

        def settle(model: RunningModel | None, why: str) -> None:
            if not future.done():
                future.set_result((model, why))
            if executor is not None:
                executor.wake()  # a result from another thread does not wake it by itself

        def load() -> None:
            loaded: list[RunningModel] = []
            path = Path(request.model).expanduser() if request.model else None
            action = partial(self._load_into, loaded, request.part_type, path)
            why = guarded(self._node.get_logger(), SERVICE, action)
            settle(loaded[0] if loaded else None, why)

        late = f'the model was not loaded within {SWAP_WITHIN_S:g} s'
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self._node.create_timer(SWAP_WITHIN_S, partial(settle, None, late), clock=steady)
        future.add_done_callback(lambda _: self._node.destroy_timer(timer))
        self._loading = threading.Thread(target=load, name=SERVICE, daemon=True)
        self._loading.start()
        return future

    def _load_into(self, loaded: list[RunningModel], part_type: str, path: Path | None) -> None:
        loaded.append(self._models.load(part_type, path))

    def _tell(self, response: SwapModel.Response) -> None:
        logger = self._node.get_logger()
        if response.success:
            logger.info(f'from the next inspection on, {response.message}')
        else:
            logger.warning(f'no model was exchanged: {response.message}')
