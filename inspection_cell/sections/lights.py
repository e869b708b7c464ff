"""Lights and lighting sequences in `cell.yaml`: several images per view, each with its lights."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, StrictModel, Vector

SettleMs = Annotated[float, Field(ge=0.0, le=10_000.0)]
ExposureUs = Annotated[float, Field(gt=0.0, le=60e6)]
MOST_SHOTS = 16


class Light(StrictModel):
    """A light that the cell switches; it is off whenever no shot needs it."""

    topic: str = Field(min_length=1)
    """Topic of the output that it is wired to: std_msgs/Bool, true is on."""
    settle_ms: SettleMs
    """From the message until the light is steady, on or off, ms."""
    position_mm: Vector | None = None
    """Where it shines from, in the cell frame, mm, for the simulator; default: from all sides, as
    a dome does."""


class ExposureOutput(StrictModel):
    """How the cell sets a camera's exposure time."""

    topic: str = Field(min_length=1)
    """Topic that sets it: std_msgs/Float64, microseconds."""
    settle_ms: SettleMs
    """From the message until the next image is exposed so, ms."""


class Shot(StrictModel):
    """One image of a lighting sequence."""

    lights: tuple[Name, ...] = ()
    """Which of the cell's lights are on; all others are off."""
    exposure_us: ExposureUs | None = None
    """Exposure time, microseconds; needs `exposure` of the camera."""


def sequence_problem(shots: Mapping[str, Shot], exposure: ExposureOutput | None) -> str:
    """What is wrong with the sequence of one camera, in words; empty when nothing is."""
    if len(shots) > MOST_SHOTS:
        return f'at most {MOST_SHOTS} shots'
    timed = [name for name, shot in shots.items() if shot.exposure_us is not None]
    if exposure is None and timed:
        return f'exposure_us of shot {timed[0]} needs the key exposure of the camera'
    if exposure is not None and len(timed) < max(len(shots), 1):
        return 'with the key exposure each shot needs exposure_us'
    seen: dict[tuple[frozenset[str], float | None], str] = {}
    for name, shot in shots.items():
        same = seen.setdefault((frozenset(shot.lights), shot.exposure_us), name)
        if same != name:
            return f'shots {same} and {name} are the same: lights or exposure_us must differ'
    return ''


def light_problems(
    lights: Mapping[str, Light],
    sequences: Mapping[str, Mapping[str, Shot]],
    exposures: Mapping[str, ExposureOutput],
    deadlines_s: Mapping[str, float],
) -> list[Problem]:
    """What does not fit together in a whole `cell.yaml`.

    Args:
        lights: of the cell.
        sequences: the shots of each camera.
        exposures: of the cameras that have one.
        deadlines_s: of each camera.
    """
    topics = [light.topic for light in lights.values()]
    topics += [exposure.topic for exposure in exposures.values()]
    problems = [
        Problem('lights', topic, 'each light and each exposure has a topic of its own')
        for topic in sorted({topic for topic in topics if topics.count(topic) > 1})
    ]
    known = ', '.join(lights) or 'there is none'
    for camera, shots in sequences.items():
        key = f'sensors.{camera}'
        unknown = [
            Problem(f'{key}.shots.{shot}.lights', light, f'one of the lights: {known}')
            for shot, described in shots.items()
            for light in described.lights
            if light not in lights
        ]
        problems += unknown
        waits_ms = 0.0 if unknown else _least_ms(lights, shots, exposures.get(camera))
        if waits_ms >= deadlines_s[camera] * 1000.0:
            allowed = f'more than what its shots wait for their lights: {waits_ms / 1000.0:g} s'
            problems.append(Problem(f'{key}.deadline_s', f'{deadlines_s[camera]:g}', allowed))
    return problems


def _least_ms(
    lights: Mapping[str, Light], shots: Mapping[str, Shot], exposure: ExposureOutput | None
) -> float:
    """The least time for which the shots of one camera wait for lights and exposure."""
    camera_ms = exposure.settle_ms if exposure else 0.0
    return sum(
        max([camera_ms, *(lights[name].settle_ms for name in shot.lights)])
        for shot in shots.values()
    )
