"""The service `swap_model`: a new model is loaded beside the old one and put in its place."""

from functools import partial
from pathlib import Path
from typing import Any

from inspection_cell_msgs.srv import SwapModel

from inspection_cell.nodes.exchange import Exchange
from inspection_cell.nodes.run import ManagedNode
from inspection_cell.nodes.swap_client import SERVICE, SWAP_WITHIN_S  # the client stays light
from inspection_cell.views.running_models import RunningModel, RunningModels


class ModelSwap(Exchange[RunningModel]):
    """Exchanges models while the node works, one at a time.

    A thread loads; the exchange itself happens in the executor, as the binding of an inspection
    to its model does: never within one inspection.
    """

    busy = 'another model is being loaded; ask again when it runs'

    def __init__(self, node: ManagedNode[Any], models: RunningModels) -> None:
        """Offer the service."""
        self._models = models
        super().__init__(node, SwapModel, SERVICE)

    async def _answer(self, request: SwapModel.Request, response: SwapModel.Response) -> None:
        load = partial(self._load, request.part_type, request.model)
        late = f'the model was not loaded within {SWAP_WITHIN_S:g} s'
        loaded = await self._loading.do(load, SWAP_WITHIN_S, late)
        response.success, response.message = self._exchanged(*loaded)

    def _complete(self, request: SwapModel.Request, response: SwapModel.Response) -> None:
        response.model_hash = self._models.hash_of(request.part_type)
        logger = self._node.get_logger()
        if response.success:
            logger.info(f'from the next inspection on, {response.message}')
        else:
            logger.warning(f'no model was exchanged: {response.message}')

    def _load(self, part_type: str, model: str) -> RunningModel:
        """In the thread, which tells of a path that is none."""
        return self._models.load(part_type, Path(model).expanduser() if model else None)

    def _exchanged(self, model: RunningModel | None, why: str) -> tuple[bool, str]:
        """Whether the model runs from now on, and which one, or why not."""
        if model is None:
            return False, why
        if self._closed:
            return False, 'the node is being deactivated'
        if not self._models.put(model):
            return False, f'the recipe of {model.part_type} was exchanged meanwhile'
        return True, str(model)
