"""Average precision of trained weights, by Ultralytics' own validation."""

from pathlib import Path

from inspection_cell.models import ClassMetrics, Metrics
from inspection_cell.ultralytics_adapter.offline import YOLO


def measure_network(weights: Path, data: Path, image_size: int, images: int) -> Metrics:
    """Average precision of the NMS-free head on the validation images of a data set."""
    result = YOLO(str(weights), task='detect').val(
        data=str(data),
        imgsz=image_size,
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
        data=f'{data.parent.name}: validation images',
        images=images,
        map50=float(boxes.map50),
        map50_95=float(boxes.map),
        per_class=per_class,
    )
