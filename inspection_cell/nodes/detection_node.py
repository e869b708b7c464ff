"""detection_node: all cameras of the cell; images in, findings of their views out."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.cell import Camera, Cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.nodes.camera_geometry import CameraGeometry
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.sensor_data import (
    any_image_from_msg,
    image_to_msg,
)
from inspection_cell.nodes.diagnosis import Reading
from inspection_cell.nodes.inspector_node import InspectorNode
from inspection_cell.nodes.model_swap import ModelSwap
from inspection_cell.nodes.run import run
from inspection_cell.observations import Image, ImageSeries, Observation, ShotImage
from inspection_cell.recipe import Recipe
from inspection_cell.showing.topics import annotated_topic
from inspection_cell.views.detection import DetectionInspector, ImageInspection
from inspection_cell.views.detections import AT_ONCE, usable_cores
from inspection_cell.views.running_models import RunningModel, RunningModels


class DetectionNode(InspectorNode[Any, DetectionInspector, ImageInspection]):
    """Detects defects and features in the images of the recipes' views."""

    # Each camera's image begins as it comes, on a core of its own.
    threads = min(usable_cores(), AT_ONCE)

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('detection_node')
        self._geometry: dict[str, CameraGeometry] = {}
        self._shown: dict[str, Publisher] = {}

    def sensors_of(self, cell: Cell) -> Mapping[str, Camera]:
        """The cameras."""
        return cell.cameras

    def begin_to_load(self, cell: Cell, evidence: EvidenceFolder) -> None:
        """No model runs yet."""
        self._models = RunningModels(cell, (), evidence)

    def make_ready(self, recipe: Recipe) -> RunningModel | None:
        """Load the model of a recipe; it has run when this returns."""
        begin_s = time.monotonic()
        model = self._models.make(recipe)
        if model is not None:
            took_s = time.monotonic() - begin_s
            self.get_logger().info(f'{model}, warm after {took_s:.1f} s: {model.why}')
        return model

    def recipes_changed(self, ready: Mapping[str, RunningModel | None]) -> None:
        """Run the models of these recipes, and no others."""
        self._models.hold([model for model in ready.values() if model is not None])

    def activate(self) -> None:
        """Open the cameras' topics."""
        cameras = self._cell.cameras
        self._geometry = {n: CameraGeometry(self, n, camera) for n, camera in cameras.items()}
        self._shown = {name: self.shown(ImageMsg, annotated_topic(name)) for name in cameras}
        super().activate()
        self._swap = ModelSwap(self, self._models)

    def deactivate(self) -> None:
        """Close the cameras' topics."""
        self._swap.close()
        super().deactivate()
        for geometry in self._geometry.values():
            geometry.close()
        for publisher in self._shown.values():
            self.destroy_publisher(publisher)

    def readings(self) -> Sequence[Reading]:
        """What /diagnostics shows."""
        models = [
            Reading(
                f'model of {model.part_type}',
                values={'backend': model.detector.backend, 'sha256': model.folder.sha256},
            )
            for model in self._models.running
        ]
        return [*super().readings(), *models]

    def inspector_of(self, view: CapturedView[Any]) -> DetectionInspector | None:
        """Who looks at this inspection: the model that saw its first image."""
        order = view.order
        return self._models.inspector(order.inspection_id, order.recipe_hash)

    def observe(self, view: CapturedView[Any]) -> Observation:
        """Decode one image, or those of a lighting sequence."""
        recipe = self._recipes.recipe(view.order.recipe_hash)
        # Without a reference nothing is projected: an uncalibrated camera serves.
        geometry = self._geometry[view.key.sensor] if recipe.mesh_path else None
        return Observation(
            view.order.inspection_id,
            view.key,
            view.captured.exposure_start_ns,
            _images(view),
            self.held.part(view),
            self.held.sensor(view),
            geometry.intrinsics() if geometry else None,
        )

    def inspect(self, inspector: DetectionInspector, observation: Observation) -> ImageInspection:
        """Look at one image."""
        return inspector.inspect(observation)

    def show(self, view: CapturedView[Any], result: ImageInspection) -> None:
        """Publish the annotated image, if somebody looks."""
        publisher = self._shown[view.key.sensor]
        if result.annotated is not None and publisher.get_subscription_count():
            msg = image_to_msg(Image(result.annotated()))
            msg.header = view.message.header
            publisher.publish(msg)


def _images(view: CapturedView[Any]) -> Image | ImageSeries:
    if not view.shots:
        return any_image_from_msg(view.message)
    return ImageSeries(
        tuple(
            ShotImage(shot.request.shot, any_image_from_msg(shot.frame.payload))
            for shot in view.shots
        )
    )


def main() -> int:
    """Run detection_node."""
    return run(DetectionNode)


if __name__ == '__main__':
    sys.exit(main())
