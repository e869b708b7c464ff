"""8 bit integers for OpenVINO, with NNCF; the head's decoding stays in floating point."""

import contextlib
import importlib.util
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import ModelError
from inspection_cell.observations import Image
from inspection_cell.views.preprocessing import fit

MOST_IMAGES = 128  # the statistics do not change with more


def quantise(exported: Path, calibration: Sequence[Image]) -> None:
    """Replace the network in an OpenVINO folder by its 8 bit form.

    Args:
        exported: folder with the fp32 network and its metadata.
        calibration: 8 bit images whose activations fix the ranges; the first 128 are used.

    Raises:
        ModelError: without NNCF or without images.
    """
    if importlib.util.find_spec('nncf') is None:
        raise ModelError('int8: expected the package nncf; run: pip install nncf')
    if not calibration:
        raise ModelError('int8: expected images to calibrate with, got none')
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)

    file = next(exported.glob('*.xml'))
    network = openvino.Core().read_model(file)
    images = [_input(image) for image in calibration[:MOST_IMAGES]]
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        quantised = nncf.quantize(
            network,
            nncf.Dataset(images),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=list(_decoding(network))),
        )
    del network  # its weights are mapped from the file that is now written anew
    beside = file.with_name('quantised.xml')
    openvino.save_model(quantised, beside, compress_to_fp16=False)
    del quantised
    for suffix in ('.xml', '.bin'):
        beside.with_suffix(suffix).replace(file.with_suffix(suffix))


def _decoding(network: Any) -> Iterator[str]:  # noqa: ANN401  (the vendor's own class)
    """Names of the operations after the head's convolutions: coordinates need their precision."""
    operations = network.get_ordered_ops()
    sigmoids = [one for one in operations if one.get_type_name() == 'Sigmoid']
    head = sigmoids[-1].get_friendly_name().split('/', 1)[0]
    for operation in operations:
        name = operation.get_friendly_name()
        if operation in sigmoids or name.startswith((f'{head}/', f'{head}.dfl')):
            yield name


def _input(image: Image) -> NDArray[np.float32]:
    """(1, 3, H, W) RGB from 0 to 1: what the detectors show the network."""
    colour = fit(image).pixels[..., ::-1]
    planes: NDArray[np.float32] = colour.transpose(2, 0, 1)[None].astype(np.float32) / 255.0
    return np.ascontiguousarray(planes)
