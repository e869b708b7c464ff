"""The ring: a turned flange with a hub, bolt holes, a keyway and a flat; all in mm.

Its frame is on the axis, z = 0 at the bottom of the flange, the keyway and the flat at +x; the
bolt holes are spaced unevenly, so that no rotation maps the ring onto itself.
"""

import numpy as np

from inspection_cell.sim.shapes import Bore, Variant
from inspection_cell.sim.solids import Loop, Shell, Solid, circle, inset, subdivided

FLANGE_RADIUS, FLANGE, FLAT = 45.0, 10.0, 38.0
HUB_RADIUS, HUB, FILLET = 27.0, 30.0, 2.0
BORE_RADIUS, KEY_WIDTH, KEY = 17.0, 9.0, 21.0
EDGE = 0.8
SEGMENTS = 144
STEP = 2.0
PLAN = np.eye(4)

BORES = tuple(
    Bore(
        (36.6 * float(np.cos(angle)), 36.6 * float(np.sin(angle)), FLANGE / 2),
        (0.0, 0.0, 1.0),
        3.9,
        FLANGE / 2,
    )
    for angle in np.deg2rad([48.0, 90.0, 138.0, 180.0, 228.0, 270.0, 318.0])
)


def build_ring(variant: Variant) -> Solid:
    """The ring as drawn, or with the departures of `variant`."""
    shell = Shell()
    rim = _flange_loop()
    small_rim = inset(rim, EDGE)
    bore = _bore_loop()
    mouth = inset(bore, -1.0)
    holes = [
        circle(b.radius, 64) + np.add(b.centre, variant.bore_offset(i))[:2]
        for i, b in enumerate(BORES)
    ]
    mouths = [inset(hole, -0.5) for hole in holes]
    bend = np.deg2rad(np.linspace(270.0, 180.0, 9))
    radii = HUB_RADIUS + FILLET + FILLET * np.cos(bend)
    fillet = [
        (circle(r, SEGMENTS), FLANGE + FILLET + FILLET * np.sin(b))
        for r, b in zip(radii, bend, strict=True)
    ]
    hub, small_hub = circle(HUB_RADIUS, SEGMENTS), circle(HUB_RADIUS - EDGE, SEGMENTS)
    shell.face(PLAN, small_rim, [mouth, *mouths], 0.0, up=False)
    shell.strip(PLAN, [(small_rim, 0), (rim, EDGE), (rim, FLANGE - EDGE), (small_rim, FLANGE)])
    shell.face(PLAN, small_rim, [fillet[0][0], *mouths], FLANGE, up=True)
    shell.strip(PLAN, [*fillet, (hub, HUB - EDGE), (small_hub, HUB)])
    shell.face(PLAN, small_hub, [mouth], HUB, up=True)
    walls = [(mouth, 0.0), (bore, 1.0), (bore, HUB - 1.0), (mouth, HUB)]
    shell.strip(PLAN, walls, outward=False)
    for hole, hole_mouth in zip(holes, mouths, strict=True):
        levels = [(hole_mouth, 0), (hole, 0.5), (hole, FLANGE - 0.5), (hole_mouth, FLANGE)]
        shell.strip(PLAN, levels, outward=False)
    return shell.solid()


def _flange_loop() -> Loop:
    """A circle with a flat at +x."""
    half = np.arccos(FLAT / FLANGE_RADIUS)
    angles = np.linspace(half, 2 * np.pi - half, SEGMENTS + 1)
    arc = FLANGE_RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    return subdivided(arc, STEP)


def _bore_loop() -> Loop:
    """A circle with a keyway at +x."""
    half = np.arcsin(KEY_WIDTH / 2 / BORE_RADIUS)
    angles = np.linspace(half, 2 * np.pi - half, 121)
    arc = BORE_RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])
    key = [(KEY, -KEY_WIDTH / 2), (KEY, KEY_WIDTH / 2)]
    return subdivided(np.concatenate([arc, key]), STEP)
