"""The sections `from_tf` and `part_from_tf` of `cell.yaml`: poses that TF knows."""

from typing import Annotated

from pydantic import Field

from inspection_cell.schema import Pose, StrictModel

# tf2 refuses names that begin with a slash.
FrameName = Annotated[str, Field(pattern=r'^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$')]


class FromTf(StrictModel):
    """A pose that is looked up in TF, in the cell's frame, at the time of the exposure."""

    frame: FrameName | None = None
    """Frame to look up. Default: `<namespace>/<sensor>_optical_frame` of a sensor,
    `<namespace>/part` of the part."""
    within_s: Annotated[float, Field(gt=0.0, le=10.0)] = 0.5
    """Seconds from the arrival of a sensor's frame within which TF must know the pose at its
    exposure; else the view is NO_POSE."""


class SensorFromTf(FromTf):
    """Where a sensor is that moves (on the robot's flange), or that another package places."""

    nominal: Pose | None = None
    """Where its optical frame is meant to be in the cell: for the simulator, previews and the
    size of the detector's window, never for a real inspection. A recipe may say it for each
    presentation (`sensor_poses`)."""
