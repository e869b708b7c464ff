"""The folder with all that Gazebo, the bridge and the cell need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.gazebo.bridge import bridge_text
from inspection_cell.gazebo.cell_in_gazebo import cell_file_text, cell_in_gazebo
from inspection_cell.gazebo.names import Names
from inspection_cell.gazebo.obj_files import write_obj
from inspection_cell.gazebo.part_mesh import part_mesh
from inspection_cell.gazebo.world import world_text
from inspection_cell.outcome import write_orders
from inspection_cell.part_orders import order_of_planned
from inspection_cell.recipe import Recipe
from inspection_cell.sim.lighting import panels_above
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import presentation_centre


@dataclass(frozen=True, slots=True)
class GazeboFiles:
    """What was written.

    Attributes:
        world: SDF, with the meshes of the parts beside it.
        bridge: configuration of ros_gz_bridge.
        cell: the cell as Gazebo plays it, for the cell's nodes.
        parts: parts file with every part's truth, for client_node.
    """

    world: Path
    bridge: Path
    cell: Path
    parts: Path


def write_gazebo(
    cell: Cell,
    recipes: Sequence[Recipe],
    parts: Sequence[PlannedPart],
    folder: Path,
    namespace: str = '',
) -> GazeboFiles:
    """Write world, meshes, bridge configuration, cell and parts file into a folder.

    Raises:
        ConfigError: with all of the cell that Gazebo cannot play.
        DataError: for a part without a mesh, or a folder that cannot be written.
    """
    file = cell_in_gazebo(cell, recipes)
    names = Names.of(cell, namespace)
    written = GazeboFiles(
        folder / 'world.sdf', folder / 'bridge.yaml', folder / 'cell.yaml', folder / 'parts.jsonl'
    )
    meshes = {part.part_id: f'parts/{part.part_id}.obj' for part in parts}
    lighting = panels_above(presentation_centre(recipes))
    by_type = {recipe.part_type: recipe for recipe in recipes}
    try:
        (folder / 'parts').mkdir(parents=True, exist_ok=True)
        for part in parts:
            mesh = part_mesh(by_type[part.part_type], part.defects)
            write_obj(mesh, folder / meshes[part.part_id])
        written.world.write_text(world_text(names, file, meshes, lighting))
        written.bridge.write_text(bridge_text(names, file))
        written.cell.write_text(cell_file_text(file, cell))
        write_orders(written.parts, [order_of_planned(part) for part in parts])
    except OSError as error:
        raise DataError(f'{error.filename or folder}: cannot write: {error.strerror}') from error
    return written
