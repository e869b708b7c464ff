"""What the lights of a lighting sequence do to the simulated picture.

A light with a position is a bar that shines from there; one without is a dome, which gives the
cell's usual light. A low bar is dark field: the surface mirrors its light away from the camera,
and the walls of a scratch that lies across it send it there.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from inspection_cell.geometry import Transform, invert, transform_points
from inspection_cell.sections.lights import Light, Shot
from inspection_cell.sim.body import Body
from inspection_cell.sim.defects import TrueDefect
from inspection_cell.sim.lighting import Lighting, Panel
from inspection_cell.sim.marks import Mark

BAR_STRENGTH = 0.9
DARK = 0.04  # light from everywhere in a closed cell whose domes are off
GLINT = 8.0  # by how much a scratch across a low bar is brighter than the surface around it
LOW = 0.5  # sine of the elevation, 30°, from which on a light is not low any more


def shot_lighting(
    usual: Lighting, lights: Mapping[str, Light], shots: Mapping[str, Shot], name: str
) -> Lighting:
    """The light in which one shot of a sequence is taken.

    Args:
        usual: that of a dome.
        lights: of the cell.
        shots: of the camera; the first one's exposure time is the right one for this light.
        name: of the shot.
    """
    on = [lights[light] for light in shots[name].lights]
    has_dome = any(light.position_mm is None for light in on)
    bars = tuple(
        Panel((x / 1000.0, y / 1000.0, z / 1000.0), BAR_STRENGTH, is_bar=True)
        for x, y, z in (light.position_mm for light in on if light.position_mm is not None)
    )
    nothing = Panel(usual.panels[0].position_m, 0.0)
    first, own = (s.exposure_us or 1.0 for s in (next(iter(shots.values())), shots[name]))
    return replace(
        usual,
        panels=(*(usual.panels if has_dome else ()), *bars) or (nothing,),
        ambient=usual.ambient if has_dome else DARK,
        ceiling=usual.ceiling if has_dome else DARK,
        factor=usual.factor * own / first,
    )


def lit_body(body: Body, lighting: Lighting, transform_part_to_cell: Transform) -> Body:
    """The same part with its scratches as this light shows them."""
    lit = copy(body)
    lit.marks = tuple(_lit(mark, lighting, transform_part_to_cell) for mark in body.marks)
    return lit


def lit_defect(
    defect: TrueDefect, lighting: Lighting, transform_part_to_cell: Transform
) -> TrueDefect:
    """The same defect, as `lit_body` shows it."""
    if not isinstance(defect.cause, Mark):
        return defect
    return replace(defect, cause=_lit(defect.cause, lighting, transform_part_to_cell))


def _lit(mark: Mark, lighting: Lighting, transform_part_to_cell: Transform) -> Mark:
    bars = [panel for panel in lighting.panels if panel.is_bar]
    if mark.round or not bars:
        return mark
    towards = transform_points(
        invert(transform_part_to_cell), np.array([bar.position_m for bar in bars])
    )
    towards -= mark.position_m
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    heights = towards @ mark.normal
    across = np.abs(towards @ np.cross(mark.normal, mark.tangent))
    low = np.where(heights > 0.0, 1.0 - heights / LOW, 0.0).clip(0.0)
    share = float((low * across).max()) * BAR_STRENGTH / (BAR_STRENGTH + lighting.ambient)
    return replace(mark, gain=mark.gain + GLINT * share) if share > 0.0 else mark
