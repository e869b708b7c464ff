"""Runs an OpenVINO export directly, without PyTorch: the images of one call side by side.

Shapes are compiled as they come: a network for one fixed shape is faster than one for all, and
OpenVINO's CPU plug-in crashes on quantised networks with dynamic shapes (openvino issue 37577).
"""

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Precision, Task
from inspection_cell.views.detections import AT_ONCE
from inspection_cell.views.heads import UNKNOWN, check_outputs

COMPILED = 32  # networks kept; a cell's windows and tiles are fewer
Outputs = tuple[NDArray[np.floating], ...]
Requests = queue.LifoQueue[Any]  # of one compiled network, those that are free


class OpenVinoRunner:
    """Outputs of an exported network for 8 bit images of any shapes; any thread may call.

    An image alone uses all threads, several are computed side by side. Both ways must give the
    same bytes, which is tried out for each shape; where they differ, one way serves for both.

    Args:
        path: the `.xml` file, or the folder that holds one.
        precision: what the export is listed as; it sets what the layers compute in.
        task: of the network, to refuse another head.
        threads: of the CPU.
        nms_free: whether its head suppresses doubles.
    """

    def __init__(
        self,
        path: Path,
        precision: Precision,
        task: Task,
        threads: int,
        *,
        nms_free: bool = True,
    ) -> None:
        """Read the network; it is compiled when the first image comes."""
        self.backend = f'openvino {precision}'
        self._threads = threads
        self._streams = min(threads, AT_ONCE)
        self._core = ov.Core()
        # Shapes are compiled later: from what was read and hashed, not from what lies there then.
        self._core.set_property({'ENABLE_MMAP': False})
        self._compute_type = _compute_type(self._core, precision, path)
        self._network = _with_eight_bit_input(_read(self._core, path, task, nms_free))
        self._compiled: OrderedDict[tuple[tuple[int, ...], int], Requests] = OrderedDict()
        self._compiling = threading.Lock()

    def run(self, images: Sequence[NDArray[np.uint8]], beside: int = 0) -> list[Outputs]:
        """Outputs of each image (H, W, 3), B, G, R; never dependent on the other images.

        Args:
            images: of this call.
            beside: how many images other threads have computed at the same time.
        """
        if len(images) + beside == 1:
            return _side_by_side([self._single(images[0].shape)], images, 1)
        with self._compiling:
            requests = [self._requests(image.shape, self._streams) for image in images]
        return _side_by_side(requests, images, max(self._streams // (beside + 1), 1))

    def _single(self, shape: tuple[int, ...]) -> Requests:
        """One request that uses all threads, if it gives the very bytes of those side by side."""
        with self._compiling:
            if (shape, 1) not in self._compiled:
                parallel, single = (self._requests(shape, count) for count in (self._streams, 1))
                noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
                (ours,), (theirs,) = (
                    _side_by_side([way], [noise], 1) for way in (single, parallel)
                )
                if not all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True)):
                    self._compiled[shape, 1] = parallel
            return self._requests(shape, 1)

    def _requests(self, shape: tuple[int, ...], streams: int) -> Requests:
        """Requests for a shape that share the threads out, each of which has run once."""
        requests = self._compiled.pop((shape, streams), None) or self._compile(shape, streams)
        self._compiled[shape, streams] = requests  # the latest is last
        if len(self._compiled) > COMPILED:
            self._compiled.popitem(last=False)
        return requests

    def _compile(self, shape: tuple[int, ...], streams: int) -> Requests:
        network = self._network.clone()
        network.reshape([1, *shape])
        settings = {
            'INFERENCE_PRECISION_HINT': self._compute_type,
            'NUM_STREAMS': streams,
            'INFERENCE_NUM_THREADS': self._threads,
            # Pinned, the first threads of networks for different shapes share one core.
            'ENABLE_CPU_PINNING': False,
        }
        compiled = self._core.compile_model(network, 'CPU', settings)
        requests: Requests = queue.LifoQueue()
        for _ in range(streams):
            request = compiled.create_infer_request()
            request.infer()  # buffers grow at the first call
            requests.put(request)
        return requests


def computes(precision: Precision) -> bool:
    """Whether this CPU gains by the precision: bfloat16 and int8 need instructions for it."""
    needed = {'bf16': 'BF16', 'int8': 'INT8'}.get(precision)
    return needed is None or needed in _capabilities(ov.Core())


def _capabilities(core: Any) -> list[str]:  # noqa: ANN401  (the vendor's own class)
    found: list[str] = core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
    return found


def _compute_type(core: Any, precision: Precision, path: Path) -> str:  # noqa: ANN401
    """What the layers compute in; by default OpenVINO takes bfloat16 where the CPU has it."""
    has_bfloat16 = 'BF16' in _capabilities(core)
    if precision == 'bf16' and not has_bfloat16:
        raise ModelError(f'{path}: expected a CPU that computes bfloat16, this one does not')
    return 'bf16' if precision in ('bf16', 'int8') and has_bfloat16 else 'f32'


def _read(core: Any, path: Path, task: Task, nms_free: bool) -> Any:  # noqa: ANN401
    files = [path] if path.is_file() else sorted(path.glob('*.xml'))
    if len(files) != 1:
        raise ModelError(f'{path}: expected one .xml file of OpenVINO, found {len(files)}')
    try:
        network = core.read_model(files[0])
        shapes = [
            [side.get_length() if side.is_static else UNKNOWN for side in output.partial_shape]
            for output in network.outputs
        ]
        check_outputs(shapes, task, nms_free=nms_free)
    except (RuntimeError, ModelError) as error:
        raise ModelError(f'{path}: cannot be used: {error}') from error
    return network


def _with_eight_bit_input(network: Any) -> Any:  # noqa: ANN401
    """Takes (1, H, W, 3) uint8 in B, G, R: swapping and dividing is done within the network."""
    steps = PrePostProcessor(network)
    image = steps.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout('NHWC'))
    image.tensor().set_color_format(ColorFormat.BGR)
    image.model().set_layout(ov.Layout('NCHW'))
    image.preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB)
    image.preprocess().scale(255.0)
    return steps.build()


def _side_by_side(
    free: Sequence[Requests], images: Sequence[NDArray[np.uint8]], at_once: int
) -> list[Outputs]:
    """Outputs of images, each by a request of its shape; so many are in work at the same time."""
    outputs: list[Outputs] = []
    working: deque[tuple[Any, Requests]] = deque()
    try:
        for image, requests in zip(images, free, strict=True):
            while len(working) >= at_once:
                outputs.append(_finished(*working.popleft()))
            while (request := _free(requests, wait=not working)) is None:
                outputs.append(_finished(*working.popleft()))
            working.append((request, requests))
            request.get_input_tensor().data[0] = image
            request.start_async()
        while working:
            outputs.append(_finished(*working.popleft()))
    finally:
        for one in working:  # after a failure
            with suppress(RuntimeError):
                _finished(*one)
    return outputs


def _free(requests: Requests, *, wait: bool) -> Any | None:  # noqa: ANN401
    """A request; only who has none may wait, so that two callers never wait for one another."""
    try:
        return requests.get(block=wait)
    except queue.Empty:
        return None


def _finished(request: Any, free: Requests) -> Outputs:  # noqa: ANN401
    """Outputs of a request, which is free then."""
    try:
        request.wait()
        return tuple(tensor.data.copy() for tensor in request.output_tensors)
    finally:
        free.put(request)
