"""The section `simulation` of `cell.yaml`: what the simulator does to robot and sensors."""

from pydantic import Field

from inspection_cell.schema import Share, StrictModel


class Simulation(StrictModel):
    """What the simulator does to robot and sensors; hardware ignores it."""

    pose_error_mm: float = Field(default=0.3, ge=0)
    """Standard deviation of the robot's position error per axis, mm."""
    pose_error_deg: float = Field(default=0.2, ge=0)
    """Standard deviation of the robot's rotation error per axis, degrees."""
    move_s: float = Field(default=0.5, ge=0, le=60)
    """Time of one robot move, s."""
    range_noise_mm: float = Field(default=0.05, ge=0)
    """Standard deviation of the scanner's range, mm."""
    dropout_share: Share = 0.03
    """Share of scan points that are lost."""
    edge_outlier_share: Share = 0.3
    """Share of points at depth edges that fly between the surfaces."""
    image_noise: float = Field(default=2.0, ge=0, le=50)
    """Standard deviation of the camera's noise, grey levels of 255."""
    light_variation: Share = 0.1
    """Relative standard deviation of the light's strength from part to part."""
