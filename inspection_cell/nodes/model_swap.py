"""The service `swap_model`: a new model is loaded beside the old one and put in its place."""

from functools import partial
from pathlib import Path
from typing import Any

from inspection_cell_msgs.srv import SwapModel
from rclpy.callback_groups import ReentrantCallbackGroup

from inspection_cell.nodes.background import Background
from inspection_cell.nodes.run import ManagedNode
from inspection_cell.nodes.swap_client import SERVICE, SWAP_WITHIN_S  # the client stays light
from inspection_cell.views.running_models import RunningModel, RunningModels


class ModelSwap:
    """Exchanges models while the node works, one at a time.

    A thread loads; the exchange itself happens in the executor, as the binding of an inspection
    to its model does: never within one inspection.
    """

    def __init__(self, node: ManagedNode[Any], models: RunningModels) -> None:
        """Offer the service."""
        self._node = node
        self._models = models
        self._loading: Background[RunningModel] = Background(node, SERVICE)
        self._answering = False
        self._closed = False
        # Reentrant: while one request waits for its model, others are refused at once.
        self._service = node.create_service(
            SwapModel, SERVICE, self._on_request, callback_group=ReentrantCallbackGroup()
        )

    def close(self) -> None:
        """Take the service back; a model that is being loaded is not used any more."""
        self._closed = True
        self._loading.join()
        if not self._answering:
            self._node.destroy_service(self._service)

    async def _on_request(
        self, request: SwapModel.Request, response: SwapModel.Response
    ) -> SwapModel.Response:
        if self._answering or self._loading.is_busy:
            response.message = 'another model is being loaded; ask again when it runs'
        else:
            self._answering = True
            path = Path(request.model).expanduser() if request.model else None
            load = partial(self._models.load, request.part_type, path)
            late = f'the model was not loaded within {SWAP_WITHIN_S:g} s'
            loaded = await self._loading.do(load, SWAP_WITHIN_S, late)
            response.success, response.message = self._exchanged(*loaded)
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
        if not self._models.put(model):
            return False, f'the recipe of {model.part_type} was exchanged meanwhile'
        return True, str(model)

    def _tell(self, response: SwapModel.Response) -> None:
        logger = self._node.get_logger()
        if response.success:
            logger.info(f'from the next inspection on, {response.message}')
        else:
            logger.warning(f'no model was exchanged: {response.message}')
