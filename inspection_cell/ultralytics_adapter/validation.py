"""Average precision of trained weights, by Ultralytics' own validation."""

from pathlib import Path

from inspection_cell.models import ClassMetrics, Metrics
from inspection_cell.ultralytics_adapter.offline import YOLO


def measure_network(weights: Path, data: Path, image_size: int, images: int, name: str) -> Metrics:
    """Average precision on the validation images of a data set, without NMS where it can be.

    Args:
        weights: the trained network.
        data: the `data.yaml`, in a folder that may be written to.
        image_size: side that the network sees, pixels.
        images: how many images there are.
        name: what the images are called in the result.
    """
    result = YOLO(str(weights)).val(
        data=str(data),
        imgsz=image_size,
        rect=False,  # its default adds a grey rim that our detectors never see
        device='cpu',
        nms=False,
        plots=False,
        verbose=False,
        workers=0,
        project=str(weights.parent / 'validation'),
        exist_ok=True,
    )
    boxes = result.box
    per_class = {
        str(result.names[int(index)]): ClassMetrics(
            map50=float(boxes.ap50[place]), map50_95=float(boxes.ap[place])
        )
        for place, index in enumerate(boxes.ap_class_index)
    }
    return Metrics(
        data=name,
        images=images,
        map50=float(boxes.map50),
        map50_95=float(boxes.map),
        per_class=per_class,
    )
