"""`surface` and `detect`: one inspector on files, without a running cell."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import track

from inspection_cell.cli.console import COLOURS, ERR, OUT, print_json
from inspection_cell.errors import DataError
from inspection_cell.findings import Defect, Finding
from inspection_cell.models import load_model_folder
from inspection_cell.scene_files import WITHIN_MM, SceneRequest, find_in_files
from inspection_cell.surface.scene_search import MIN_EXPLAINED
from inspection_cell.surface_files import SurfaceResult, inspect_files
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import load_detector
from inspection_cell.views.image_files import FilesDetected, detect_files, image_files
from inspection_cell.views.slicing import SlicedDetector


class Units(StrEnum):
    """Unit of the coordinates in scan and mesh files."""

    MM = 'mm'
    M = 'm'


InScene = Annotated[
    bool, typer.Option('--scene', help='Only find the part: the scan shows other things too.')
]
SensorMm = Annotated[
    tuple[float, float, float],
    typer.Option(metavar='X Y Z', help='With --scene: where the scanner stood, mm.'),
]
WithinMm = Annotated[
    float, typer.Option(min=0.001, help='With --scene: distance within which the scan fits, mm.')
]
MinExplained = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help='With --scene: share of the visible part to be seen.'),
]


def surface(
    reference: Annotated[Path, typer.Option(help='Reference mesh (ply, stl, obj).')],
    scan: Annotated[
        list[Path],
        typer.Option(help='Scan (ply, pcd, stl, obj); several of one part are judged together.'),
    ],
    units: Annotated[Units, typer.Option(help='Unit of both files.')] = Units.MM,
    tolerance_mm: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar='LO HI', help='Limits of the signed deviation, mm.'),
    ] = None,
    initial_pose: Annotated[
        list[Path] | None,
        typer.Option(help='transform_scan_to_part, 4×4, metres, per scan; default: searched.'),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help='A recipe.yaml with its limits.')] = None,
    report: Annotated[
        Path | None, typer.Option(help='Write a picture of the deviation (.html or .png).')
    ] = None,
    scene: InScene = False,
    sensor_mm: SensorMm = (0.0, 0.0, 0.0),
    within_mm: WithinMm = WITHIN_MM,
    min_explained: MinExplained = MIN_EXPLAINED,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Compare a scan with a reference mesh; a REJECT is a result, exit status 0."""
    if scene:
        request = SceneRequest(sensor_mm, within_mm, min_explained)
        _find_in_scene(reference, scan, units, request, json=json)
        return
    with ERR.status('comparing') as status:
        if json:
            status.stop()
        result = inspect_files(
            reference, scan, units.value, tolerance_mm, initial_pose or (), recipe
        )
        if report is not None:
            # Matplotlib takes a second.
            from inspection_cell.showing.surface_report import write_report

            write_report(report, result, result.zones)
    if json:
        print_json(result.as_json())
        return
    _print_surface(result)
    if report is not None:
        OUT.print(f'report: {report}', style='dim')


def _find_in_scene(
    reference: Path, scan: Sequence[Path], units: Units, request: SceneRequest, *, json: bool
) -> None:
    with ERR.status('searching') as status:
        if json:
            status.stop()
        result = find_in_files(reference, scan, units.value, request)
    if json:
        print_json(result.as_json())
        return
    found = result.found
    OUT.print(escape('the part is found' if found.found else found.reason))
    OUT.print(f'{found.explained:.0%} of the surface that should be visible is explained')
    for row in found.transform_part_to_scene:
        OUT.print(' '.join(f'{value:10.6f}' for value in row))
    OUT.print(f'{result.seconds:.2f} s', style='dim')


def detect(
    model: Annotated[Path, typer.Option(help='Model folder (with model.yaml).')],
    images: Annotated[list[Path], typer.Argument(help='Image files or folders.')],
    min_score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help='Findings below are left out.')
    ] = 0.25,
    image_size: Annotated[
        int | None,
        typer.Option(min=32, max=8192, help="Longest side, pixels; default: the image's own."),
    ] = None,
    tile_px: Annotated[
        int | None,
        typer.Option(min=64, max=8192, help='Look at overlapping tiles with this side, pixels.'),
    ] = None,
    overlap_px: Annotated[
        int, typer.Option(min=8, max=4096, help='By which tiles overlap, pixels.')
    ] = 64,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Run a detector on image files, whole or in tiles."""
    if tile_px is not None and 2 * overlap_px > tile_px:
        raise DataError(f'--overlap-px {overlap_px}: expected at most half of --tile-px {tile_px}')
    folder = load_model_folder(model.parent if model.is_file() else model)
    files = image_files(images)
    detector = load_detector(folder, image_size)
    if tile_px is not None:
        detector = SlicedDetector(detector, tile_px, overlap_px)
    found = _detect(detector, files, min_score, quiet=json)
    if json:
        print_json(_detected_to_json(found))
        return
    for image in found.images:
        OUT.print(escape(f'{image.file}: {len(image.findings)} findings'))
        for finding in image.findings:
            OUT.print(escape(f'  {finding.label} {finding.score:.2f} at {_box(finding)}'))
    OUT.print(f'{found.ms_per_image:.0f} ms per image ({found.backend})', style='dim')


def _detect(
    detector: Detector, files: Sequence[Path], min_score: float, *, quiet: bool
) -> FilesDetected:
    shown = track(files, 'detecting', console=ERR, disable=quiet)
    return detect_files(detector, shown, min_score)


def _detected_to_json(found: FilesDetected) -> dict[str, object]:
    images = [
        {'file': str(image.file), 'findings': [_finding_to_json(f) for f in image.findings]}
        for image in found.images
    ]
    ms_per_image = round(found.ms_per_image, 2)
    return {'images': images, 'backend': found.backend, 'ms_per_image': ms_per_image}


def _finding_to_json(finding: Finding) -> dict[str, object]:
    values: dict[str, object] = {'label': finding.label, 'score': round(finding.score, 4)}
    values['box_px'] = _box(finding)
    if finding.polygon_px is not None:
        values['polygon_px'] = finding.polygon_px.round(2).tolist()
    return values


def _box(finding: Finding) -> list[float]:
    return [] if finding.box_px is None else [round(float(v), 2) for v in finding.box_px]


def _print_surface(result: SurfaceResult) -> None:
    name = result.decision.name
    OUT.print(f'[{COLOURS[name]}]{name}[/] {escape(result.registered.reason)}')
    if result.registered.note:
        OUT.print(escape(f'  {result.registered.note}'))
    for reason in result.verdict.reasons:
        OUT.print(escape(f'  {reason.text}'))
    OUT.print(f'{result.points} points, {100 * result.coverage:.0f} % of the reference seen')
    for defect in result.defects:
        OUT.print(escape(f'  {_defect_in_words(defect)}'))
    for measured in result.measured:
        OUT.print(escape(f'  {measured}'))
    OUT.print(f'{result.seconds:.2f} s', style='dim')


def _defect_in_words(defect: Defect) -> str:
    where = ''
    if defect.position_m is not None:
        x, y, z = defect.position_m * 1e3
        where = f' at ({x:.1f}, {y:.1f}, {z:.1f}) mm'
    return f'{defect.label}{where}: {defect.peak_mm:+.3f} mm, {defect.area_mm2:.1f} mm²'
