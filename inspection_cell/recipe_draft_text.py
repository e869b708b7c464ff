"""The words of a recipe to start from: YAML with a comment where people must fill something in."""

from collections.abc import Iterable
from dataclasses import dataclass

from inspection_cell.cell import Cell, ProcessSensor

TODO = '# TODO:'


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a part before anybody has judged one.

    Attributes:
        mesh: file name beside the recipe.
        units: of the mesh.
        extent_mm: of the part along x, y, z.
        position_mm: of the part's origin in the cell.
        model: folder of the detector as the recipe names it; empty without cameras.
        labels: classes of the detector.
    """

    part_type: str
    mesh: str
    units: str
    extent_mm: tuple[float, float, float]
    position_mm: tuple[float, float, float]
    cell: Cell
    model: str
    labels: tuple[str, ...]


def recipe_text(draft: Draft) -> str:
    """The whole `recipe.yaml`."""
    sections = [
        _head(draft),
        _presentations(draft),
        _detection(draft) if draft.cell.cameras else [],
        _surface() if draft.cell.scanners else [],
        _process(draft.cell.process_sensors.items()),
        _rules(),
    ]
    return '\n'.join(line for section in sections for line in section) + '\n'


def _head(draft: Draft) -> list[str]:
    size = ' x '.join(f'{value:g}' for value in draft.extent_mm)
    return [
        f'# A recipe to start from. Work through every line with {TODO[2:-1]}, then look at',
        '#   inspection_cell recipe preview',
        'format: 1',
        f'part_type: {_quoted(draft.part_type)}',
        f'# The part is {size} mm.',
        f'reference: {{mesh: {_quoted(draft.mesh)}, units: {draft.units}}}',
        f'zones: {{}}  {TODO} name regions that have limits of their own (docs/detection.md)',
    ]


def _presentations(draft: Draft) -> list[str]:
    position = _flow(f'{value:g}' for value in draft.position_mm)
    return [
        'presentations:',
        f'  first:  {TODO} one entry for each pose in which the robot holds the part',
        '    # The pose of the part in the cell: in the middle of what the sensors see, turned as',
        '    # in its mesh file.',
        f'    pose: {{position_mm: {position}, rpy_deg: [0, 0, 0]}}  {TODO} as the robot holds it',
        f'    sensors: {_flow(draft.cell.sensors)}',
    ]


def _detection(draft: Draft) -> list[str]:
    limits = '{min_score: 0.3, max_length_mm: 0.0}'
    return [
        'detection:',
        f'  {TODO} a model that was trained on this part (docs/models.md)',
        f'  model: {_quoted(draft.model)}',
        f'  classes:  {TODO} what is allowed of each; max_length_mm 0 means that none is good',
        *(f'    {_quoted(label)}: {limits}' for label in draft.labels),
        f'  features: []  {TODO} what every good part shows, such as screws: proof of presence',
        f'silhouette: {{min_iou: 0.9, background: dark}}  {TODO} bright, if the part is darker',
    ]


def _surface() -> list[str]:
    return [
        'surface:',
        f'  tolerance_mm: [-0.2, 0.2]  {TODO} from the drawing',
        f"  systematic_mm: 0.0  {TODO} the scanner's own uncertainty, from its calibration",
    ]


def _process(sensors: Iterable[tuple[str, ProcessSensor]]) -> list[str]:
    lines = []
    for name, sensor in sensors:
        lines += [
            f'  {name}:',
            f'    unit: {_quoted(sensor.unit)}',
            f'    min_duration_s: {sensor.deadline_s / 2.0:g}  {TODO} of a recording',
            f'    limits: [{{measure: peak, high: 0.0}}]  {TODO} this lets nothing pass',
        ]
    return ['process:', *lines] if lines else []


def _rules() -> list[str]:
    return [
        f'{TODO} lower the minimum to what the preview shows, which hardly is the whole part,',
        '# and demand of each zone what matters (docs/coverage.md).',
        'coverage: {minimum: 1.0, max_incidence_deg: 75, by: any, min_views: 1}',
    ]


def _flow(values: Iterable[str]) -> str:
    return f'[{", ".join(values)}]'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
