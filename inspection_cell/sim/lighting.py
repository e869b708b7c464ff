"""The light in the simulated cell and what a surface sends back to the camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform, rotate_vectors, transform_points
from inspection_cell.sim.appearance import MATERIALS, tool_marks
from inspection_cell.sim.body import Hits

Floats = NDArray[np.float32]

_COLOURS = np.array([m.colour for m in MATERIALS], dtype=np.float32)
_DIFFUSE = np.array([m.diffuse for m in MATERIALS], dtype=np.float32)
_GLOSSY = np.array([m.glossy for m in MATERIALS], dtype=np.float32)
_SHARP = np.array([m.sharp for m in MATERIALS], dtype=np.float32)
_MARKS = np.array([m.marks for m in MATERIALS], dtype=np.float32)

SHADOW_STRENGTH = 0.75  # the panels are wide: shadows are soft and never black


@dataclass(frozen=True, slots=True)
class Panel:
    """A soft light panel that shines at the part.

    Attributes:
        is_bar: it shines from one side only: scratches across a low one glint.
    """

    position_m: tuple[float, float, float]
    strength: float
    is_bar: bool = False


@dataclass(frozen=True, slots=True)
class Lighting:
    """All panels of a cell around the point where parts are presented, in the cell frame.

    Attributes:
        ambient: light that comes from everywhere.
        ceiling: strength of the bright ceiling, relative to nominal.
        factor: strength relative to nominal, drawn per part.
        colour: B, G, R relative to white.
        tool_marks: how much the tool marks show, relative to nominal.
    """

    panels: tuple[Panel, ...]
    ambient: float
    factor: float = 1.0
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tool_marks: float = 1.0
    ceiling: float = 1.0


def panels_above(centre_m: Points | NDArray[np.float64]) -> Lighting:
    """Three panels above a presented part and dim light from the walls."""
    x, y, z = centre_m
    return Lighting(
        (
            Panel((x + 0.25, y - 0.35, z + 0.60), 0.54),
            Panel((x - 0.45, y + 0.10, z + 0.45), 0.34),
            Panel((x + 0.15, y + 0.50, z + 0.40), 0.30),
        ),
        ambient=0.62,
    )


@dataclass(frozen=True, slots=True)
class Shade:
    """What little light reaches a surface point: in [0, 1], per hit."""

    open_sky: Floats
    key_light: Floats


def reflected(
    hits: Hits, views: Floats, lighting: Lighting, to_part: Transform, shade: Shade
) -> Floats:
    """Light (N, 3) in B, G, R that hits send along -`views`, about [0, 1] for a full camera range.

    Diffuse and mirrored parts of a few wide panels and a bright ceiling (after Blinn, 1977, with
    wide lobes), and tool marks that vary it a little. `views` (N, 3)
    are the unit directions of the rays in the part frame, `to_part` is `transform_cell_to_part`.
    """
    materials = hits.materials
    normals = hits.normals
    upward = rotate_vectors(to_part, np.array([[0.0, 0.0, 1.0]]))[0].astype(np.float32)
    facing = np.einsum('ij,ij->i', normals, views)
    mirrored = views - 2 * facing[:, None] * normals
    marks = tool_marks(materials, hits.points * np.float32(1000.0)) * _MARKS[materials]
    diffuse = lighting.ambient * (0.65 + 0.35 * (normals @ upward)) * shade.open_sky
    glossy = (0.36 + 0.26 * (mirrored @ upward)) * shade.open_sky * np.float32(lighting.ceiling)
    sharp = _SHARP[materials]
    centres = transform_points(to_part, np.array([p.position_m for p in lighting.panels]))
    for number, (panel, centre) in enumerate(zip(lighting.panels, centres, strict=True)):
        towards = centre.astype(np.float32) - hits.points
        towards /= np.sqrt(np.einsum('ij,ij->i', towards, towards))[:, None]
        lit = np.float32(panel.strength) * (shade.key_light if number == 0 else shade.open_sky)
        diffuse += lit * np.maximum(np.einsum('ij,ij->i', normals, towards), 0)
        lobe = np.maximum(np.einsum('ij,ij->i', mirrored, towards), 0)
        lobe *= lobe
        wide = lobe * lobe
        narrow = wide * wide
        narrow *= narrow
        glossy += lit * ((1 - sharp) * 0.8 * wide + sharp * 1.8 * narrow)
    strength = _DIFFUSE[materials] * diffuse + _GLOSSY[materials] * glossy
    strength *= (1 + np.float32(lighting.tool_marks) * marks) * np.float32(lighting.factor)
    colours = _COLOURS * np.array(lighting.colour, dtype=np.float32)
    light: Floats = strength[:, None] * colours[materials]
    return light
