"""A plate with bores, a step and a slanted face, and scans of it whose true features are known."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import Delaunay

from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.features import Angle, Bore, Distance, Flatness
from inspection_cell.sections.zones import Zone
from inspection_cell.zones import SurfaceZone

TOP_MM, STEP_MM, SLANT_DEG = 20.0, 12.0, 30.0
BORES_MM = {
    'bore_8': (40.0, -26.0, 8.0),
    'bore_12': (40.0, -6.0, 12.0),
    'bore_20': (40.0, 14.0, 20.0),
}
TRIM_MM = 5.0  # from the top to where the bores are measured
DEPTH_MM = 10.0
ZONE_MM = (-15.0, -8.0, 60.0, 40.0)  # middle and size of the zone on the top
SLANT_FROM_MM = 26.0  # y at which the slanted face leaves the top
STEP_TO_MM = -50.0
CUTOFF_MM = 8.0
WAVE_MM = 40.0

FORMS = {
    'flat': lambda x, y: np.zeros_like(x),
    'dome': lambda x, y: -0.05 * (x**2 + y**2) / (30.0**2 + 20.0**2),
    'twist': lambda x, y: 0.03 * x * y / (30.0 * 20.0),
    'wave': lambda x, y: 0.03 * np.sin(2.0 * np.pi * x / WAVE_MM + 0.4),
}


@dataclass(frozen=True)
class Simulated:
    """Points (N, 3) in the part frame, metres, and the true values by feature, mm and degrees."""

    points: np.ndarray
    truth: dict[str, float] = field(default_factory=dict)


def featured_mesh() -> ReferenceMesh:
    """The nominal part, 120 x 80 x 20 mm, without its outer walls."""
    angle = np.radians(SLANT_DEG)
    low = np.array([0.0, 16.0 * np.cos(angle), -16.0 * np.sin(angle)])
    right = np.array([110.0, 0.0, 0.0])
    pieces = [
        _punched_top(),
        _patch((STEP_TO_MM, SLANT_FROM_MM, TOP_MM), right, low),
        _patch((-60.0, -40.0, STEP_MM), (10.0, 0.0, 0.0), (0.0, 80.0, 0.0)),
        _patch((STEP_TO_MM, -40.0, STEP_MM), (0.0, 0.0, TOP_MM - STEP_MM), (0.0, 66.0, 0.0)),
        _patch((-60.0, -40.0, 0.0), (0.0, 80.0, 0.0), (120.0, 0.0, 0.0)),
        *(_nominal_wall(*bore) for bore in BORES_MM.values()),
    ]
    counts = np.cumsum([0, *(len(vertices) for vertices, _ in pieces[:-1])])
    vertices = np.concatenate([vertices for vertices, _ in pieces])
    triangles = np.concatenate([t + at for (_, t), at in zip(pieces, counts, strict=True)])
    return ReferenceMesh(vertices / 1e3, triangles)


def featured_zones(reference: ReferenceMesh) -> dict[str, SurfaceZone]:
    up = {'direction': (0.0, 0.0, 1.0), 'max_angle_deg': 5.0}
    sine, cosine = np.sin(np.radians(SLANT_DEG)), np.cos(np.radians(SLANT_DEG))
    x, y, length, width = ZONE_MM
    top = {'centre_mm': (x, y, TOP_MM), 'size_mm': (length, width, 2.0)}
    step = {'centre_mm': (-55.0, 0.0, STEP_MM), 'size_mm': (8.0, 50.0, 2.0)}
    slant = {'centre_mm': (-15.0, 33.0, 16.0), 'size_mm': (60.0, 10.0, 12.0)}
    entries = {
        'top': {'boxes': [top], 'facing': up},
        'step': {'boxes': [step], 'facing': up},
        'slant': {
            'boxes': [slant],
            'facing': {'direction': (0.0, sine, cosine), 'max_angle_deg': 5.0},
        },
        'round_wall': {
            'cylinders': [{'centre_mm': (40.0, 14.0, 10.0), 'radius_mm': 11.0, 'length_mm': 8.0}]
        },
    }
    return {
        name: SurfaceZone(name, Zone.model_validate(entry), reference)
        for name, entry in entries.items()
    }


def featured_features() -> dict[str, Flatness | Bore | Distance | Angle]:
    """All kinds of features of the part, with generous limits."""
    bores = {
        name: Bore(
            kind='bore',
            axis_point_mm=(x, y, TOP_MM - TRIM_MM),
            direction=(0.0, 0.0, -1.0),
            diameter_mm=diameter,
            depth_mm=DEPTH_MM,
            tolerance_mm=(-0.1, 0.1),
            position_tolerance_mm=0.5,
        )
        for name, (x, y, diameter) in BORES_MM.items()
    }
    return {
        'top_flatness': Flatness(
            kind='flatness',
            zone='top',
            tolerance_mm=0.1,
            filter={'kind': 'gaussian', 'cutoff_mm': CUTOFF_MM},
        ),
        **bores,
        'step_height': _distance(('top', 'step'), TOP_MM - STEP_MM),
        'bore_pitch': _distance(('bore_8', 'bore_12'), 20.0),
        'bore_to_bore': _distance(('bore_8', 'bore_20'), 40.0),
        'slant_angle': Angle(
            kind='angle', between=('top', 'slant'), nominal_deg=SLANT_DEG, tolerance_deg=(-1, 1)
        ),
        'bore_angle': Angle(
            kind='angle', between=('slant', 'bore_12'), nominal_deg=150.0, tolerance_deg=(-1, 1)
        ),
    }


def simulate(
    seed: int,
    form: str = 'flat',
    *,
    seen_deg: float = 360.0,
    density: float = 25.0,
    noise_mm: float = 0.03,
    dropouts: float = 0.05,
    flying: float = 0.02,
) -> Simulated:
    """A scan of one part with its own deviations.

    Args:
        seed: of the part and the noise.
        form: of the top, by name in FORMS.
        seen_deg: how much of each bore's turn is seen.
        density: points per mm².
        noise_mm: standard deviation along each axis.
        dropouts: share of points that are missing.
        flying: share of points that are up to 4 mm away from the surface.
    """
    random = np.random.default_rng(seed)
    truth: dict[str, float] = {'top_flatness': true_flatness_mm(form)}
    surfaces = [_top(random, form, density)]
    height = STEP_MM + random.uniform(-0.1, 0.1)
    x, y = _uniform(random, (-60.0, STEP_TO_MM), (-40.0, 40.0), density)
    surfaces.append(np.column_stack([x, y, np.full_like(x, height)]))
    truth['step_height'] = TOP_MM + _middle_height_mm(form) - height
    slant = SLANT_DEG + random.uniform(-0.2, 0.2)
    x, along = _uniform(random, (-50.0, 60.0), (0.0, 16.0), density)
    angle = np.radians(slant)
    y, z = SLANT_FROM_MM + along * np.cos(angle), TOP_MM - along * np.sin(angle)
    surfaces.append(np.column_stack([x, y, z]))
    truth['slant_angle'] = slant
    axes = {}
    for name in BORES_MM:
        wall, axes[name], truth[name] = _wall(random, name, seen_deg, density)
        surfaces.append(wall)
        truth[f'{name}_position'] = _true_position(name, *axes[name])
    truth['bore_pitch'] = _between(axes['bore_8'], axes['bore_12'])
    truth['bore_to_bore'] = _between(axes['bore_8'], axes['bore_20'])
    normal = np.array([0.0, np.sin(angle), np.cos(angle)])
    truth['bore_angle'] = float(np.degrees(np.arccos(normal @ axes['bore_12'][1])))
    points = np.concatenate(surfaces)
    points = points[random.random(len(points)) >= dropouts]
    points += random.normal(0.0, noise_mm, points.shape)
    away = random.random(len(points)) < flying
    points[away] += _directions(random, int(away.sum())) * random.uniform(
        0.2, 4.0, (int(away.sum()), 1)
    )
    return Simulated(points / 1e3, truth)


def true_flatness_mm(form: str) -> float:
    """Minimum zone of the form after the ideal filter, by a linear program of its own."""
    x, y = np.meshgrid(np.linspace(-30.0, 30.0, 61), np.linspace(-20.0, 20.0, 41))
    heights = _passed(form) * FORMS[form](x, y).reshape(-1)
    design = np.column_stack([np.ones(x.size), x.reshape(-1) / 30.0, y.reshape(-1) / 20.0])
    ones = np.ones((x.size, 1))
    found = linprog(
        [0, 0, 0, 1],
        A_ub=np.block([[design, -ones], [-design, -ones]]),
        b_ub=1e3 * np.concatenate([heights, -heights]),
        bounds=[(None, None)] * 4,
    )
    return 2e-3 * float(found.fun)


def _passed(form: str) -> float:
    """Share of the amplitude that a Gaussian filter passes: a paraboloid only moves."""
    alpha = np.sqrt(np.log(2.0) / np.pi)
    return float(np.exp(-np.pi * (alpha * CUTOFF_MM / WAVE_MM) ** 2)) if form == 'wave' else 1.0


def _middle_height_mm(form: str) -> float:
    """Height of the least squares plane of the top's zone at its middle."""
    x, y = np.meshgrid(np.linspace(-30.0, 30.0, 301), np.linspace(-20.0, 20.0, 201))
    return float(FORMS[form](x, y).mean())


def _top(random, form, density):
    x, y = _uniform(random, (STEP_TO_MM, 60.0), (-40.0, SLANT_FROM_MM), density)
    kept = np.ones(len(x), dtype=bool)
    for centre_x, centre_y, diameter in BORES_MM.values():
        kept &= np.hypot(x - centre_x, y - centre_y) > diameter / 2.0
    x, y = x[kept], y[kept]
    return np.column_stack([x, y, TOP_MM + FORMS[form](x - ZONE_MM[0], y - ZONE_MM[1])])


def _wall(random, name, seen_deg, density):
    """Wall points, (point at the nominal middle of the depth, direction), diameter; mm."""
    x, y, nominal = BORES_MM[name]
    diameter = nominal + random.uniform(-0.05, 0.05)
    middle = np.array([x, y, TOP_MM - TRIM_MM - DEPTH_MM / 2.0])
    middle[:2] += random.uniform(-0.1, 0.1, 2)
    direction = np.array([*random.uniform(-0.003, 0.003, 2), -1.0])
    slope = direction.copy()
    direction = direction / np.linalg.norm(direction)
    count = int(np.pi * diameter * (seen_deg / 360.0) * TOP_MM * density)
    begin = random.uniform(0.0, 2.0 * np.pi)
    turn = begin + random.uniform(0.0, np.radians(seen_deg), count)
    first = np.cross([0.0, 1.0, 0.0], direction)
    first /= np.linalg.norm(first)
    across = np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * np.cross(direction, first)
    level = random.uniform(-TOP_MM / 2.0, TOP_MM / 2.0, count)[:, None]
    wall = middle + level * slope + across * diameter / 2.0
    return wall, (middle, direction), diameter


def _true_position(name, middle, direction):
    x, y, _ = BORES_MM[name]
    ends = [middle + direction / abs(direction[2]) * at for at in (-DEPTH_MM / 2, DEPTH_MM / 2)]
    return 2.0 * max(float(np.hypot(end[0] - x, end[1] - y)) for end in ends)


def _between(first, second):
    mean = first[1] + second[1]
    mean /= np.linalg.norm(mean)
    offset = second[0] - first[0]
    return float(np.linalg.norm(offset - (offset @ mean) * mean))


def _uniform(random, x_mm, y_mm, density):
    count = int((x_mm[1] - x_mm[0]) * (y_mm[1] - y_mm[0]) * density)
    return random.uniform(*x_mm, count), random.uniform(*y_mm, count)


def _directions(random, count):
    drawn = random.normal(size=(count, 3))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _distance(between, nominal):
    return Distance(kind='distance', between=between, nominal_mm=nominal, tolerance_mm=(-1, 1))


def _patch(corner, first, second):
    """Two triangles that face along first x second."""
    corner, first, second = (np.asarray(values, dtype=float) for values in (corner, first, second))
    vertices = np.stack([corner, corner + first, corner + first + second, corner + second])
    return vertices, np.array([[0, 1, 2], [0, 2, 3]])


def _punched_top():
    """The top face around the bores' rims."""
    x, y = np.meshgrid(np.linspace(STEP_TO_MM, 60.0, 23), np.linspace(-40.0, SLANT_FROM_MM, 14))
    flat = np.stack([x, y], axis=-1).reshape(-1, 2)
    rims = []
    for centre_x, centre_y, diameter in BORES_MM.values():
        centre = np.array([centre_x, centre_y])
        flat = flat[np.linalg.norm(flat - centre, axis=1) > diameter / 2.0 + 0.2]
        rims.append(centre + diameter / 2.0 * _ring())
    places = np.concatenate([flat, *rims])
    triangles = Delaunay(places).simplices
    middles = places[triangles].mean(axis=1)
    for centre_x, centre_y, diameter in BORES_MM.values():
        outside = np.linalg.norm(middles - (centre_x, centre_y), axis=1) > diameter / 2.0 * 0.999
        triangles, middles = triangles[outside], middles[outside]
    corners = places[triangles]
    ahead, aside = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    turned = ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0] < 0.0
    triangles[turned] = triangles[turned][:, ::-1]
    return np.column_stack([places, np.full(len(places), TOP_MM)]), triangles


def _nominal_wall(x, y, diameter):
    """The wall of a bore through the part; it faces its axis."""
    ring = np.array([x, y]) + diameter / 2.0 * _ring()
    count = len(ring)
    vertices = np.concatenate([np.column_stack([ring, np.full(count, z)]) for z in (0.0, TOP_MM)])
    here, after = np.arange(count), np.roll(np.arange(count), -1)
    first = np.column_stack([here, here + count, after])
    second = np.column_stack([after, here + count, after + count])
    return vertices, np.concatenate([first, second])


def _ring():
    turns = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    return np.column_stack([np.cos(turns), np.sin(turns)])
