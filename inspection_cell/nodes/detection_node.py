"""detection_node: all cameras of the cell; images in, findings of their views out."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rclpy.publisher import Publisher
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.cell import Camera, Cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.models import check_model_fits, find_model, load_model_folder
from inspection_cell.nodes.camera_geometry import CameraGeometry
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.sensor_data import image_from_msg, image_to_msg
from inspection_cell.nodes.inspector_node import InspectorNode
from inspection_cell.nodes.run import run
from inspection_cell.observations import Image, Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_reference
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector
from inspection_cell.views.detection import DetectionInspector, ImageInspection


class DetectionNode(InspectorNode[ImageMsg, ImageInspection]):
    """Detects defects and features in the images of the recipes' views."""

    message_type = ImageMsg

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('detection_node')
        self._inspectors: dict[str, DetectionInspector] = {}
        self._geometry: dict[str, CameraGeometry] = {}
        self._shown: dict[str, Publisher] = {}

    def sensors_of(self, cell: Cell) -> Mapping[str, Camera]:
        """The cameras."""
        return cell.cameras

    def load(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Load each model once; a detector runs once when it is made."""
        detectors: dict[tuple[Path, int | None], UltralyticsDetector] = {}
        self._inspectors = {}
        for recipe in recipes:
            if recipe.file.detection is None:
                continue
            folder = load_model_folder(find_model(recipe, evidence.data_dir))
            check_model_fits(recipe, folder)
            size = recipe.file.detection.image_size
            if (folder.path, size) not in detectors:
                detectors[folder.path, size] = UltralyticsDetector(folder, size)
            self._inspectors[recipe.part_type] = DetectionInspector(
                recipe, load_reference(recipe), detectors[folder.path, size], evidence
            )

    def activate(self) -> None:
        """Open the cameras' topics."""
        cameras = self._cell.cameras
        self._geometry = {n: CameraGeometry(self, n, camera) for n, camera in cameras.items()}
        self._shown = {name: self.shown(ImageMsg, f'annotated/{name}') for name in cameras}
        super().activate()

    def deactivate(self) -> None:
        """Close the cameras' topics."""
        super().deactivate()
        for geometry in self._geometry.values():
            geometry.close()
        for publisher in self._shown.values():
            self.destroy_publisher(publisher)

    def inspect(self, view: CapturedView[ImageMsg]) -> ImageInspection:
        """Decode one image and look at it."""
        camera = self._cell.cameras[view.key.sensor]
        recipe = self._recipes[view.order.part_type]
        # Without a reference nothing is projected: an uncalibrated camera serves.
        geometry = self._geometry[view.key.sensor] if recipe.mesh_path else None
        return self._inspectors[view.order.part_type].inspect(
            Observation(
                view.order.inspection_id,
                view.key,
                view.captured.exposure_start_ns,
                image_from_msg(view.message),
                view.order.transform_part_to_cell,
                camera.pose.transform(),
                geometry.intrinsics() if geometry else None,
            )
        )

    def show(self, view: CapturedView[ImageMsg], result: ImageInspection) -> None:
        """Publish the annotated image, if somebody looks."""
        publisher = self._shown[view.key.sensor]
        if result.annotated is not None and publisher.get_subscription_count():
            msg = image_to_msg(Image(result.annotated))
            msg.header = view.message.header
            publisher.publish(msg)


def main() -> int:
    """Run detection_node."""
    return run(DetectionNode)


if __name__ == '__main__':
    sys.exit(main())
