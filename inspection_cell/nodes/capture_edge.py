"""One sensor at the edge of an inspector: subscription, frame gate, QoS that follows the offer."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from inspection_cell.capture.gate import Captured, CaptureRequest, Frame, FrameGate, NotCaptured
from inspection_cell.capture.series import ShotCollector
from inspection_cell.cell import Camera, ProcessSensor, Scanner
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.conversions.poses import stamp_from_msg
from inspection_cell.nodes.diagnosis import Reading
from inspection_cell.nodes.qos import sensor_profile, subscription_events
from inspection_cell.nodes.sensor_messages import message_of
from inspection_cell.observations import ViewKey

M = TypeVar('M')


@dataclass(frozen=True, slots=True)
class CapturedView(Generic[M]):
    """A frame, still as it came, with the order that it belongs to.

    Attributes:
        captured: of a lighting sequence, the last shot.
        shots: all shots of a lighting sequence that is complete, in their order.
    """

    order: CaptureOrder
    key: ViewKey
    captured: Captured[M]
    shots: tuple[Captured[M], ...] = ()

    @property
    def message(self) -> M:
        """The sensor's message."""
        return self.captured.frame.payload


@dataclass(frozen=True, slots=True)
class MissedView:
    """An order for which no frame came."""

    order: CaptureOrder
    key: ViewKey
    missed: NotCaptured


class CaptureEdge(Generic[M]):
    """Offers every message of one sensor to its gate, without decoding it."""

    def __init__(
        self,
        node: Node,
        name: str,
        sensor: Camera | Scanner | ProcessSensor,
        on_captured: Callable[[CapturedView[M]], None],
        on_shot: Callable[[CapturedView[M]], None] | None = None,
    ) -> None:
        """Subscribe to the sensor's topic.

        Args:
            node: that listens.
            name: of the sensor.
            sensor: as the cell describes it.
            on_captured: told each view of which everything has come.
            on_shot: told each frame of a lighting sequence, before that.
        """
        self.name = name
        self.sensor = sensor
        self.frames = 0
        self.last_frame_steady_ns = 0
        self.qos_problem = ''
        self._counted = time.monotonic_ns(), 0
        self._node = node
        self._on_captured = on_captured
        self._on_shot = on_shot
        self._shots = sensor.shots if isinstance(sensor, Camera) else {}
        self._collector: ShotCollector[M] = ShotCollector(tuple(self._shots))
        self._gate: FrameGate[M] = FrameGate(sensor.stamp)
        self._orders: dict[CaptureRequest, CaptureOrder] = {}
        self._profile = sensor_profile(node, sensor.topic, sensor.qos)
        self._subscription = self._subscribe(self._profile)
        self._former: Subscription | None = None

    def reading(self) -> Reading:
        """What /diagnostics shows of the sensor; call it once per period."""
        now_ns = time.monotonic_ns()
        values = {'frames': str(self.frames), 'refused': str(self._gate.refused)}
        if self._gate.last_refusal:
            values['last_refusal'] = self._gate.last_refusal
        if self.frames:
            values['last_frame_age_s'] = f'{(now_ns - self.last_frame_steady_ns) / 1e9:.1f}'
        if self.sensor.trigger.kind == 'free_running':
            before_ns, before = self._counted
            rate_hz = 1e9 * (self.frames - before) / max(now_ns - before_ns, 1)
            values['rate_hz'] = f'{rate_hz:.1f}'
            self._counted = now_ns, self.frames
        return Reading(self.name, self.qos_problem, values)

    @property
    def waits(self) -> bool:
        """Whether an order still waits for its frame."""
        return bool(self._orders)

    def unfit(self, order: CaptureOrder) -> str:
        """Why an order is not one for this sensor, in words; empty when it is."""
        if order.shot in (self._shots or ('',)):
            return ''
        known = ', '.join(self._shots) or 'none'
        return f'asked for shot {order.shot!r} of {self.name}, cell.yaml here names {known}'

    def expect(self, order: CaptureOrder) -> None:
        """Wait for the frame of a view; one that has just come may already be it."""
        wait_s = min(order.deadline_s, self.sensor.deadline_s)
        request = CaptureRequest(
            order.inspection_id,
            order.presentation,
            order.settled_ns,
            time.monotonic_ns() + round(wait_s * 1e9),
            order.shot,
            self._exposure_ns(order.shot),
        )
        self._orders[request] = order
        self._deliver(self._gate.expect(request))

    def expire(self, now_steady_ns: int) -> list[MissedView]:
        """Give up the orders whose time is over."""
        missed = []
        while (given_up := self._gate.expire(now_steady_ns)) is not None:
            order = self._orders.pop(given_up.request)
            missed.append(MissedView(order, self._key(order), given_up))
        return missed

    def follow_offer(self) -> None:
        """Subscribe anew when the publishers now offer another reliability; call now and then."""
        if self._former is not None:
            self._node.destroy_subscription(self._former)
            self._former = None
        profile = sensor_profile(self._node, self.sensor.topic, self.sensor.qos)
        if profile is not self._profile:
            # The old subscription lives on until the next call: no frame is lost in between, and
            # the gate refuses the one that comes twice.
            self._former = self._subscription
            self._profile = profile
            self._subscription = self._subscribe(profile)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)
        if self._former is not None:
            self._node.destroy_subscription(self._former)

    def _subscribe(self, profile: QoSProfile) -> Subscription:
        return self._node.create_subscription(
            message_of(self.sensor),
            self.sensor.topic,
            self._on_message,
            profile,
            event_callbacks=subscription_events(
                self._node, self.sensor.topic, self._on_incompatible
            ),
        )

    def _on_message(self, message: M) -> None:
        now_steady_ns = time.monotonic_ns()
        now_ns = self._node.get_clock().now().nanoseconds
        stamp_ns = stamp_from_msg(message.header.stamp)  # type: ignore[attr-defined]
        self.frames += 1
        self.last_frame_steady_ns = now_steady_ns
        self._deliver(self._gate.offer(Frame(message, stamp_ns, now_ns, now_steady_ns)))

    def _deliver(self, captured: Captured[M] | None) -> None:
        if captured is None:
            return
        order = self._orders.pop(captured.request)
        view = CapturedView(order, self._key(order), captured)
        if not order.shot:
            self._on_captured(view)
            return
        if self._on_shot is not None:
            self._on_shot(view)
        if shots := self._collector.add(captured):
            self._on_captured(replace(view, shots=shots))

    def _exposure_ns(self, shot: str) -> int | None:
        exposure_us = self._shots[shot].exposure_us if shot else None
        return None if exposure_us is None else round(exposure_us * 1e3)

    def _key(self, order: CaptureOrder) -> ViewKey:
        return ViewKey(order.presentation, self.name)

    def _on_incompatible(self, problem: str) -> None:
        self.qos_problem = problem
