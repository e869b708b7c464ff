"""Runs an OpenVINO export directly, without PyTorch: the images of one call side by side.

Shapes are compiled as they come: a network for one fixed shape is faster than one for all, and
OpenVINO's CPU plug-in crashes on quantised networks with dynamic shapes (openvino issue 37577).
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Precision, Task
from inspection_cell.views.heads import UNKNOWN, check_outputs

SHAPES = 16  # compiled networks kept; a cell's windows and tiles have fewer
PARALLEL = 4  # images computed at the same time at most
Outputs = tuple[NDArray[np.floating], ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The network for one shape.

    Attributes:
        single: a request that uses all threads.
        parallel: requests that share the threads out; only `single` if there is one thread.
    """

    single: Any
    parallel: tuple[Any, ...]


class OpenVinoRunner:
    """Outputs of an exported network for 8 bit images of any shapes.

    An image alone uses all threads, several are computed side by side. Both ways must give the
    same bytes, which is tried out for each shape; where they differ, one way serves for both.

    Args:
        path: the `.xml` file, or the folder that holds one.
        precision: what the export is listed as; it sets what the layers compute in.
        task: of the network, to refuse another head.
        threads: of the CPU.
    """

    def __init__(self, path: Path, precision: Precision, task: Task, threads: int) -> None:
        """Read the network; it is compiled when the first image comes."""
        self.backend = f'openvino {precision}'
        self._threads = threads
        self._core = ov.Core()
        self._compute_type = _compute_type(self._core, precision, path)
        self._network = _with_eight_bit_input(_read(self._core, path, task))
        self._compiled: OrderedDict[tuple[int, ...], _Compiled] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, images: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
        """Outputs of each image (H, W, 3), B, G, R; never dependent on the other images."""
        with self._lock:
            if len(images) == 1:
                return _side_by_side([self._for(images[0].shape).single], images)
            used: Counter[tuple[int, ...]] = Counter()
            requests = []
            for image in images:
                parallel = self._for(image.shape).parallel
                requests.append(parallel[used[image.shape] % len(parallel)])
                used[image.shape] += 1
            return _side_by_side(requests, images, min(self._threads, PARALLEL))

    def _for(self, shape: tuple[int, ...]) -> _Compiled:
        compiled = self._compiled.pop(shape, None) or self._compile(shape)
        self._compiled[shape] = compiled  # the latest is last
        if len(self._compiled) > SHAPES:
            self._compiled.popitem(last=False)
        return compiled

    def _compile(self, shape: tuple[int, ...]) -> _Compiled:
        single = self._requests(shape, 1)
        if self._threads == 1:
            return _Compiled(single[0], single)
        parallel = self._requests(shape, min(self._threads, PARALLEL))
        noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
        (first,), (second,) = (_side_by_side(way, [noise]) for way in (single[:1], parallel[:1]))
        same = all(np.array_equal(*pair) for pair in zip(first, second, strict=True))
        return _Compiled(single[0] if same else parallel[0], parallel)

    def _requests(self, shape: tuple[int, ...], streams: int) -> tuple[Any, ...]:
        network = self._network.clone()
        network.reshape([1, *shape])
        settings = {
            'INFERENCE_PRECISION_HINT': self._compute_type,
            'NUM_STREAMS': streams,
            'INFERENCE_NUM_THREADS': self._threads,
        }
        compiled = self._core.compile_model(network, 'CPU', settings)
        return tuple(compiled.create_infer_request() for _ in range(streams))


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


def _read(core: Any, path: Path, task: Task) -> Any:  # noqa: ANN401
    files = [path] if path.is_file() else sorted(path.glob('*.xml'))
    if len(files) != 1:
        raise ModelError(f'{path}: expected one .xml file of OpenVINO, found {len(files)}')
    try:
        network = core.read_model(files[0])
        shapes = [
            [side.get_length() if side.is_static else UNKNOWN for side in output.partial_shape]
            for output in network.outputs
        ]
        check_outputs(shapes, task)
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
    requests: Sequence[Any], images: Sequence[NDArray[np.uint8]], at_once: int = 1
) -> list[Outputs]:
    """Outputs of images, each by its own request; one request may be named several times."""
    outputs: list[Outputs] = []
    for number, image in enumerate(images):
        waiting = requests[len(outputs) : number]
        while len(waiting) >= at_once or any(one is requests[number] for one in waiting):
            outputs.append(_finished(waiting[0]))
            waiting = waiting[1:]
        requests[number].get_input_tensor().data[0] = image
        requests[number].start_async()
    outputs += [_finished(one) for one in requests[len(outputs) :]]
    return outputs


def _finished(request: Any) -> Outputs:  # noqa: ANN401
    request.wait()
    return tuple(tensor.data.copy() for tensor in request.output_tensors)
