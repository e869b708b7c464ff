"""The section `fusion` of `recipe.yaml`: how findings of several views become defects."""

from pydantic import Field

from inspection_cell.schema import Name, StrictModel
from inspection_cell.sections.surface import PositiveMm


class Fusion(StrictModel):
    """How findings of several views become defects."""

    merge_mm: PositiveMm = 6.0
    """Findings of one physical defect lie this near to each other on the surface, were their
    places known exactly, mm."""
    one_defect: tuple[Name, ...] = ()
    """Zones in each of which all that scans find is one thing, such as a bore: out of its place it
    shows as too much on one side and too little on the other. Its place is the zone's middle."""
    pose_sigma_mm: float = Field(default=0.5, ge=0.0, le=100.0)
    """Standard uncertainty of places by the pose that the robot reports, mm; where a scan of the
    same presentation refined the pose it is `refined_sigma_mm`."""
    refined_sigma_mm: float = Field(default=0.15, ge=0.0, le=100.0)
    """Standard uncertainty of places where a scan refined the pose, mm: calibration of the cameras
    to the scanner."""
