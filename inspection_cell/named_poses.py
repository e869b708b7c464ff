"""Where sensors are as recipe and cell name it: for what is computed before anything is exposed.

A sensor whose pose comes from TF is somewhere else in every presentation. Its named pose serves
the simulator, previews, shadows and window sizes; an inspection goes by the pose that TF tells.
"""

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Transform
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe


def named_pose(cell: Cell, recipe: Recipe, view: ViewKey) -> Transform | None:
    """`transform_sensor_to_cell` of a camera's or scanner's view; None where only TF knows it."""
    held = recipe.file.presentations.get(view.presentation)
    of_recipe = held.sensor_poses.get(view.sensor) if held else None
    pose = of_recipe or cell.posed_sensors[view.sensor].nominal
    return None if pose is None else pose.transform()


def needed_pose(cell: Cell, recipe: Recipe, view: ViewKey, what: str) -> Transform:
    """The same for `what` cannot do without; raises DataError that says where to give it."""
    pose = named_pose(cell, recipe, view)
    if pose is None:
        raise DataError(
            f'{cell.path}: sensors.{view.sensor}.from_tf: {what} needs a pose of {view}: give '
            f'`nominal` here, or `presentations.{view.presentation}.sensor_poses` in {recipe.path}'
        )
    return pose
