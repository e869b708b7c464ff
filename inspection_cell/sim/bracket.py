"""The bracket: a milled angle with a fillet, a pocket, three bores and four screws; all in mm.

Its frame is centred on the base, x along it, z = 0 at the bottom; the upright stands at -x.
"""

from itertools import pairwise

import numpy as np

from inspection_cell.geometry import rigid
from inspection_cell.sim.shapes import Bore, Screw, Variant
from inspection_cell.sim.solids import (
    Loop,
    Shell,
    Solid,
    circle,
    inset,
    rounded_rectangle,
    subdivided,
)

LENGTH, WIDTH, HEIGHT = 110.0, 76.0, 48.0
BASE, UPRIGHT, FILLET = 14.0, 15.0, 8.0  # thicknesses, radius
EDGE, BEVEL = 0.8, 4.0  # chamfers: all edges; end of the base and top of the upright
STEP = 2.0  # between points of a loop
POCKET_DEPTH = 7.0
LEFT, RIGHT, INNER = -LENGTH / 2, LENGTH / 2, -LENGTH / 2 + UPRIGHT

SCREWS = tuple(Screw((x, y, BASE), 5.0, 5.0) for x in (-21.0, 42.0) for y in (-27.0, 27.0))
BORES = (
    Bore((LEFT + UPRIGHT / 2, -18.0, 33.0), (1.0, 0.0, 0.0), 7.0, UPRIGHT / 2),
    Bore((LEFT + UPRIGHT / 2, 18.0, 33.0), (1.0, 0.0, 0.0), 7.0, UPRIGHT / 2),
    Bore((10.5, 0.0, (BASE - POCKET_DEPTH) / 2), (0.0, 0.0, 1.0), 9.0, (BASE - POCKET_DEPTH) / 2),
)

PLAN = np.eye(4)
SIDE = rigid([[1, 0, 0], [0, 0, -1], [0, 1, 0]], (0, 0, 0))  # (x, z), extruded towards -y
FRONT = rigid([[0, 0, 1], [1, 0, 0], [0, 1, 0]], (0, 0, 0))  # (y, z), extruded towards +x


def build_bracket(variant: Variant) -> Solid:
    """The bracket as drawn, or with the departures of `variant`."""
    shell = Shell()
    _angle(shell)
    bores = [_bore_loop(i, variant) for i in range(3)]
    mouths = [inset(loop, -0.6) for loop in bores]
    pocket = rounded_rectangle(43.0, 42.0, 7.0, STEP) + np.array([10.5, 0.0])
    pocket_mouth = inset(pocket, -0.5)
    seats = [_seat_loop(i, variant) for i in range(len(SCREWS))]
    x, y, z = RIGHT - BEVEL, WIDTH / 2 - EDGE, HEIGHT - EDGE
    top = _rectangle((INNER + FILLET, -y), (x, y))
    shell.face(PLAN, top, [pocket_mouth, *seats], BASE, up=True)
    shell.face(PLAN, _rectangle((LEFT + EDGE, -y), (RIGHT - EDGE, y)), [mouths[2]], 0.0, up=False)
    front = _rectangle((-y, BASE + FILLET), (y, HEIGHT - BEVEL))
    shell.face(FRONT, front, mouths[:2], INNER, up=True)
    shell.face(FRONT, _rectangle((-y, EDGE), (y, z)), mouths[:2], LEFT, up=False)
    for loop, mouth in zip(bores[:2], mouths[:2], strict=True):
        _through(shell, FRONT, loop, mouth, LEFT, INNER)
    floor = BASE - POCKET_DEPTH
    shell.strip(PLAN, [(pocket, floor), (pocket, BASE - 0.5), (pocket_mouth, BASE)], outward=False)
    shell.face(PLAN, pocket, [mouths[2]], floor, up=True)
    _through(shell, PLAN, bores[2], mouths[2], 0.0, floor)
    for index, seat in enumerate(seats):
        if index in variant.missing_screws:
            _threaded_hole(shell, SCREWS[index], seat)
        else:
            _screw_head(shell, SCREWS[index], seat, turn=0.4 + 1.3 * index)
    return shell.solid()


def _angle(shell: Shell) -> None:
    """The extruded L without its four faces that have holes."""
    bend = np.deg2rad(np.linspace(270.0, 180.0, 17))
    centre = (INNER + FILLET, BASE + FILLET)
    fillet = FILLET * np.column_stack([np.cos(bend), np.sin(bend)]) + centre
    corners = [
        *((LEFT + EDGE, 0.0), (RIGHT - EDGE, 0.0), (RIGHT, EDGE), (RIGHT, BASE - BEVEL)),
        *((RIGHT - BEVEL, BASE), *fillet, (INNER, HEIGHT - BEVEL), (INNER - BEVEL, HEIGHT)),
        *((LEFT + EDGE, HEIGHT), (LEFT, HEIGHT - EDGE), (LEFT, EDGE)),
    ]
    outline = subdivided(np.array(corners), STEP)
    small = inset(outline, EDGE)
    end = WIDTH / 2
    shell.face(SIDE, small, [], -end, up=False)
    shell.face(SIDE, small, [], end, up=True)
    shell.strip(SIDE, [(small, -end), (outline, -end + EDGE)])
    shell.strip(SIDE, [(outline, end - EDGE), (small, end)])
    following = np.roll(outline, -1, axis=0)
    middle = (outline + following) / 2
    flat = np.abs(outline - following).min(axis=1) < 1e-9
    drilled = (middle[:, 1] < 1e-6) | (middle[:, 0] < LEFT + 1e-6)
    drilled |= flat & (np.abs(middle[:, 1] - BASE) < 1e-6)
    drilled |= flat & (np.abs(middle[:, 0] - INNER) < 1e-6)
    depths = _steps(-end + EDGE, end - EDGE)
    for near, far in pairwise(depths):
        a, b = outline[~drilled], following[~drilled]
        shell.quads(
            *(
                np.column_stack([p[:, 0], np.full(len(p), y), p[:, 1]])
                for p, y in ((a, far), (b, far), (b, near), (a, near))
            )
        )


def _bore_loop(index: int, variant: Variant) -> Loop:
    bore = BORES[index]
    across = (1, 2) if bore.axis[0] else (0, 1)
    centre = np.array(bore.centre) + variant.bore_offset(index)
    return circle(bore.radius, 96) + centre[list(across)]


def _through(
    shell: Shell, frame: np.ndarray, loop: Loop, mouth: Loop, low: float, high: float
) -> None:
    levels = [(mouth, low), (loop, low + 0.6), (loop, high - 0.6), (mouth, high)]
    shell.strip(frame, levels, outward=False)


def _seat_loop(index: int, variant: Variant) -> Loop:
    screw = SCREWS[index]
    missing = index in variant.missing_screws
    return circle(0.65 * screw.radius if missing else screw.radius, 64) + screw.seat[:2]


def _screw_head(shell: Shell, screw: Screw, seat: Loop, turn: float) -> None:
    top = screw.seat[2] + screw.height
    rim = (seat - screw.seat[:2]) * (1 - 0.6 / screw.radius) + screw.seat[:2]
    angles = turn + np.arange(6) * np.pi / 3
    hexagon = 3.0 * np.column_stack([np.cos(angles), np.sin(angles)]) + screw.seat[:2]
    hexagon = subdivided(hexagon, 0.8)
    shell.strip(PLAN, [(seat, screw.seat[2]), (seat, top - 0.6), (rim, top)])
    shell.face(PLAN, rim, [hexagon], top, up=True)
    shell.strip(PLAN, [(hexagon, top - 3.2), (hexagon, top)], outward=False)
    shell.face(PLAN, hexagon, [], top - 3.2, up=True)


def _threaded_hole(shell: Shell, screw: Screw, seat: Loop) -> None:
    """What remains where a screw is missing: a blind hole with a countersink."""
    z = screw.seat[2]
    hole = (seat - screw.seat[:2]) * 0.8 + screw.seat[:2]
    shell.strip(PLAN, [(hole, z - 10.0), (hole, z - 0.7), (seat, z)], outward=False)
    shell.face(PLAN, hole, [], z - 10.0, up=True)


def _rectangle(low: tuple[float, float], high: tuple[float, float]) -> Loop:
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    return subdivided(corners, STEP)


def _steps(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, int(np.ceil((high - low) / STEP - 1e-9)) + 1)
