"""Values survive the way through real, serialised messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspection_cell_msgs.msg import ActuatorCommand
from inspection_cell_msgs.msg import Decision as DecisionMsg
from inspection_cell_msgs.msg import Defect as DefectMsg
from inspection_cell_msgs.msg import Disposition as DispositionMsg
from inspection_cell_msgs.msg import Finding as FindingMsg
from inspection_cell_msgs.msg import Presence as PresenceMsg
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from inspection_cell_msgs.msg import ViewFindings as ViewFindingsMsg
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image as ImageMsg
from sensor_msgs.msg import PointCloud2

from inspection_cell.disposition import Action, Command, Disposition
from inspection_cell.errors import DataError
from inspection_cell.findings import (
    Conformity,
    Contribution,
    Coverage,
    Decision,
    Defect,
    EvidenceFile,
    Finding,
    Presence,
    PresenceStatus,
    Reason,
    Source,
    Verdict,
    ViewFindings,
    ViewStatus,
    ZoneCoverage,
)
from inspection_cell.geometry import Intrinsics, from_rpy
from inspection_cell.nodes.conversions.capturing import (
    CaptureAnswer,
    CaptureOrder,
    capture_answer_from_msg,
    capture_answer_to_msg,
    capture_order_from_msg,
    capture_order_to_msg,
)
from inspection_cell.nodes.conversions.findings import (
    finding_from_msg,
    finding_to_msg,
    view_findings_from_msg,
    view_findings_to_msg,
)
from inspection_cell.nodes.conversions.poses import (
    camera_info_from_msg,
    camera_info_to_msg,
    pose_from_msg,
    pose_to_msg,
    stamp_from_msg,
    stamp_to_msg,
)
from inspection_cell.nodes.conversions.rejecting import (
    command_to_msg,
    disposition_from_msg,
    disposition_to_msg,
)
from inspection_cell.nodes.conversions.sensor_data import (
    deviation_to_msg,
    image_from_msg,
    image_to_msg,
    scan_from_msg,
    scan_to_msg,
)
from inspection_cell.nodes.conversions.verdicts import (
    defect_from_msg,
    defect_to_msg,
    verdict_from_msg,
    verdict_to_msg,
)
from inspection_cell.observations import Image, Scan, ViewKey

angles = st.floats(-3.0, 3.0)
metres = st.floats(-10.0, 10.0)
shares = st.floats(0.0, 1.0)
vectors = st.tuples(metres, metres, metres)
words = st.text('abc °µ', max_size=8)
arrays = st.none() | vectors.map(np.array)


def wired(msg):
    """The message as it comes out at the other end of the wire."""
    return deserialize_message(serialize_message(msg), type(msg))


def same(first, second):
    """Equal values, arrays by content."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return first is not None and second is not None and np.array_equal(first, second)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if hasattr(first, '__dataclass_fields__') and type(first) is type(second):
        names = first.__dataclass_fields__
        return all(same(getattr(first, name), getattr(second, name)) for name in names)
    return first == second


findings = st.builds(
    Finding,
    label=words,
    score=shares,
    value=metres,
    limit=metres,
    unit=words,
    box_px=st.none() | st.tuples(metres, metres, metres, metres).map(np.array),
    polygon_px=st.none() | st.lists(st.tuples(metres, metres), min_size=3).map(np.array),
    position_m=arrays,
    normal=arrays,
    area_mm2=shares,
    length_mm=shares,
    width_mm=shares,
    volume_mm3=shares,
    peak_mm=metres,
    uncertainty=shares,
    conformity=st.sampled_from(Conformity),
    not_judged=words,
    shots=st.lists(words).map(tuple),
)
defects = st.builds(
    Defect,
    label=words,
    probability=shares,
    position_m=arrays,
    normal=arrays,
    length_mm=shares,
    width_mm=shares,
    area_mm2=shares,
    volume_mm3=shares,
    peak_mm=metres,
    value=metres,
    limit=metres,
    unit=words,
    uncertainty=shares,
    conformity=st.sampled_from(Conformity),
    sources=st.lists(
        st.builds(Source, st.builds(ViewKey, words, words), words, shares), max_size=3
    ).map(tuple),
    position_sigma_mm=shares,
    reach_mm=shares,
    contributions=st.lists(
        st.builds(Contribution, st.builds(ViewKey, words, words), metres), max_size=3
    ).map(tuple),
)


def view_findings(**changed):
    values = {
        'inspection_id': 'i-1',
        'view': ViewKey('top', 'left'),
        'status': ViewStatus.OK,
        'reason': 'because',
        'presence': Presence(PresenceStatus.PRESENT, 'four screws', 0.9),
        'findings': (Finding('dent', 1.0, peak_mm=-0.3), Finding('scratch', 0.5)),
        'evidence': (EvidenceFile('evidence/i-1/x.jpg', 'ab', 'image', 'host'),),
        'stamp_ns': 1_700_000_000_123_456_789,
        'inspect_s': 0.25,
        'intrinsics': Intrinsics(
            640, 480, 500.0, 501.0, 320.0, 240.0, 'plumb_bob', (0.1, 0.2, 0.0, 0.0)
        ),
        'model_hash': 'cd',
        'reference_hash': 'ef',
        **changed,
    }
    return ViewFindings(**values)


@settings(max_examples=50, deadline=None)
@given(findings)
def test_a_finding_survives_the_wire_unchanged(finding):
    assert same(finding_from_msg(wired(finding_to_msg(finding))), finding)


@settings(max_examples=50, deadline=None)
@given(defects)
def test_a_defect_survives_the_wire_unchanged(defect):
    assert same(defect_from_msg(wired(defect_to_msg(defect))), defect)


@pytest.mark.parametrize('status', list(ViewStatus))
def test_findings_of_a_view_survive_the_wire_with_every_status(status):
    sent = view_findings(status=status, seen=np.arange(6001) % 3 == 0)
    assert same(view_findings_from_msg(wired(view_findings_to_msg(sent))), sent)


@settings(max_examples=50, deadline=None)
@given(vectors, st.tuples(angles, angles, angles))
def test_poses_survive_the_wire_to_rounding(position, angles_rad):
    pose = from_rpy(position, angles_rad)
    assert np.abs(pose_from_msg(wired(pose_to_msg(pose))) - pose).max() < 1e-12
    names = (
        'transform_part_to_sensor',
        'transform_part_to_cell_refined',
        'transform_sensor_to_cell',
    )
    sent = view_findings(**dict.fromkeys(names, pose))
    received = view_findings_from_msg(wired(view_findings_to_msg(sent)))
    for name in names:
        assert np.allclose(getattr(received, name), pose, atol=1e-12)


def test_a_pose_that_was_never_filled_in_is_refused():
    msg = pose_to_msg(np.eye(4))
    msg.orientation.w = 0.0
    with pytest.raises(DataError, match='unit quaternion'):
        pose_from_msg(msg)
    msg.orientation.w = 1.0
    msg.position.x = float('nan')
    with pytest.raises(DataError, match='finite position'):
        pose_from_msg(msg)


@settings(max_examples=50, deadline=None)
@given(st.lists(defects, max_size=2), st.sampled_from(list(Decision)), st.none() | shares)
def test_a_verdict_survives_the_wire_unchanged(found, decision, share):
    sent = Verdict(
        'i-1',
        'p-1',
        'bracket',
        decision,
        (Reason('defect', 'dent 0.9', 0.5, 0.3, decision),),
        tuple(found),
        None
        if share is None
        else Coverage(share, 0.5, ('rim',), (ZoneCoverage('rim', share, 0.9),)),
        (view_findings(), view_findings(status=ViewStatus.LATE, findings=())),
        1_700_000_000_000_000_001,
        'aa',
        'bb',
        '0.1.0',
        'cc',
        0.25,
        (Contribution(ViewKey('top', 'left'), -1.5),),
    )
    assert same(verdict_from_msg(wired(verdict_to_msg(sent))), sent)


def test_a_message_that_was_never_filled_in_is_no_accept():
    assert verdict_from_msg(VerdictMsg()).decision is Decision.UNKNOWN
    assert view_findings_from_msg(ViewFindingsMsg()).is_evidence is False
    assert ActuatorCommand().action == Action.DIVERT


def test_numbers_outside_an_enumeration_are_refused():
    msg = VerdictMsg(decision=DecisionMsg(value=9))
    with pytest.raises(DataError, match=r'Decision: expected one of 0 UNKNOWN.* got 9'):
        verdict_from_msg(msg)
    with pytest.raises(DataError, match='score'):
        finding_from_msg(FindingMsg(score=1.5))
    with pytest.raises(DataError, match='probability'):
        defect_from_msg(DefectMsg(probability=-0.1))
    with pytest.raises(DataError, match='cannot hold'):
        view_findings_from_msg(ViewFindingsMsg(seen_count=9, seen=[255]))


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        (Decision, DecisionMsg),
        (ViewStatus, ViewFindingsMsg),
        (PresenceStatus, PresenceMsg),
        (Conformity, FindingMsg),
    ],
)
def test_enumerations_are_the_same_in_python_and_in_the_messages(kind, message):
    constants = {
        name: getattr(message, name)
        for name in dir(message)
        if name[0].isalpha() and name.isupper() and isinstance(getattr(message, name), int)
    }
    assert constants == {member.name: member.value for member in kind}


def test_actions_are_the_same_in_python_and_in_the_messages():
    assert ActuatorCommand.DIVERT == DispositionMsg.DIVERTED == Action.DIVERT
    assert ActuatorCommand.RELEASE == DispositionMsg.RELEASED == Action.RELEASE


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_survive_to_the_nanosecond(stamp_ns):
    assert stamp_from_msg(wired(stamp_to_msg(stamp_ns))) == stamp_ns


def test_camera_geometry_survives_and_an_uncalibrated_camera_is_refused():
    camera = Intrinsics(1280, 960, 900.5, 901.5, 640.0, 480.0, 'plumb_bob', (0.1, -0.2, 0, 0, 1))
    msg = camera_info_to_msg(camera)
    assert camera_info_from_msg(wired(msg)) == camera
    msg.k[0] = 0.0
    with pytest.raises(DataError, match='uncalibrated'):
        camera_info_from_msg(msg)


def test_capture_orders_and_answers_survive_the_wire():
    order = CaptureOrder(
        *('i-1', 'p-1', 'ring', 'hash', 'top', 1_234_567_890_123),
        *(np.eye(4), ('left', 'scan'), 2.5, 'dark'),
    )
    assert same(capture_order_from_msg(wired(capture_order_to_msg(order))), order)
    answer = CaptureAnswer('i-1', ViewKey('top', 'left'), False, 'no frame', 77, 'dark')
    assert capture_answer_from_msg(wired(capture_answer_to_msg(answer))) == answer


def test_dispositions_survive_the_wire_but_for_the_commands_number():
    command = Command(0, 'i-1', 'p-1', Action.RELEASE, 'good', Decision.ACCEPT, 'permit', 0.004)
    sent = Disposition(command, True, 'good', 'permit')
    assert disposition_from_msg(wired(disposition_to_msg(sent, 5))) == sent
    msg = wired(command_to_msg(Command(7, *list_of(command)[1:]), 1_000_000_005))
    assert (msg.sequence, msg.inspection_id, msg.part_id) == (7, 'i-1', 'p-1')
    assert (msg.action, msg.bin, msg.stamp.nanosec) == (ActuatorCommand.RELEASE, 'good', 5)


def list_of(value):
    return [getattr(value, name) for name in value.__dataclass_fields__]


@pytest.mark.parametrize(
    ('dtype', 'shape'),
    [
        *[(np.uint8, (6, 8)), (np.uint8, (6, 8, 3)), (np.float32, (6, 8))],
        *[(np.uint16, (6, 8)), (np.uint16, (6, 8, 3))],
    ],
)
def test_images_survive_the_wire(dtype, shape):
    most = 200 if dtype is np.uint8 else 60_000
    pixels = (np.random.default_rng(1).random(shape) * most).astype(dtype)
    msg = wired(image_to_msg(Image(pixels), 42, 'cell/left_optical_frame'))
    assert isinstance(msg, ImageMsg)
    assert (msg.header.stamp.nanosec, msg.header.frame_id) == (42, 'cell/left_optical_frame')
    assert np.array_equal(image_from_msg(msg).pixels, pixels)


def test_an_image_that_no_encoding_holds_is_refused():
    with pytest.raises(DataError, match='no encoding'):
        image_to_msg(Image(np.zeros((6, 8, 3), dtype=np.float32)))


def test_scans_survive_the_wire_and_deviations_have_a_field_beside_their_colour():
    points = np.random.default_rng(2).random((50, 3)).astype(np.float32)
    msg = wired(scan_to_msg(Scan(points), 42, 'cell/scan_optical_frame'))
    assert isinstance(msg, PointCloud2)
    assert np.array_equal(scan_from_msg(msg).points, points)
    cloud = wired(deviation_to_msg(points, points[:, 0], np.zeros((50, 3), dtype=np.uint8)))
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'deviation', 'rgb']
    assert np.array_equal(np.frombuffer(cloud.data, '<f4').reshape(-1, 5)[:, 3], points[:, 0])


def test_a_scan_survives_the_wire_in_the_axes_of_its_sensor():
    points = np.random.default_rng(3).random((50, 3)).astype(np.float32)
    msg = wired(scan_to_msg(Scan(points), axes='x_forward'))
    assert np.array_equal(scan_from_msg(msg, 'x_forward').points, points)
    forward, left, up = np.frombuffer(msg.data, '<f4').reshape(-1, 3).T
    assert np.array_equal(np.column_stack([-left, -up, forward]), points)


def test_a_scan_of_an_empty_gripper_travels_and_has_no_points():
    msg = wired(
        scan_to_msg(Scan(np.zeros((0, 3), dtype=np.float32)), 42, 'cell/scan_optical_frame')
    )
    assert len(scan_from_msg(msg).points) == 0


def test_a_truncated_cloud_is_refused():
    msg = scan_to_msg(Scan(np.zeros((5, 3), dtype=np.float32)))
    msg.data = msg.data[:-1]
    with pytest.raises(DataError, match='expected 60 bytes'):
        scan_from_msg(msg)
