"""The QoS profiles of the cell, each with its reason, and matching what a sensor offers."""

from collections.abc import Callable
from typing import Literal

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)


def _profile(
    depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> QoSProfile:
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=reliability,
        durability=durability,
    )


# Requests, answers, verdicts, permits: none may be lost, and old ones must not reach a node that
# starts later (a permit from before its start would be for a part that it never saw).
RELIABLE = _profile(50, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

# The cell's state: whoever starts later learns it at once.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)

# Images and clouds until the publisher is known: fits every offer. Depth 1 drops frames under
# load, 5 did not.
SENSOR = _profile(5, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)

# Images and clouds of a publisher that waits for its readers: a stalled reader loses less with a
# deeper queue (with both cores starved 43 % arrived at depth 5, 88 % at depth 20).
SENSOR_RELIABLE = _profile(20, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

# Pictures for people: a slow viewer must never hold up an inspector.
SHOWN = _profile(2, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)

SensorQos = Literal['auto', 'reliable', 'best_effort']


def sensor_profile(node: Node, topic: str, wanted: SensorQos) -> QoSProfile:
    """Profile for a sensor's topic; `auto` is reliable where all its publishers offer that."""
    if wanted == 'reliable':
        return SENSOR_RELIABLE
    if wanted == 'best_effort':
        return SENSOR
    name = node.resolve_topic_name(topic)
    offers = [info.qos_profile for info in node.get_publishers_info_by_topic(name)]
    if offers and all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers):
        return SENSOR_RELIABLE
    return SENSOR


def subscription_events(
    node: Node, topic: str, incompatible: Callable[[str], None] | None = None
) -> SubscriptionEventCallbacks:
    """Say in the log, and to `incompatible`, when a publisher's QoS does not fit ours."""

    def told(event: object) -> None:
        text = _words(node, topic, 'publisher', event)
        node.get_logger().error(text)
        if incompatible is not None:
            incompatible(text)

    return SubscriptionEventCallbacks(incompatible_qos=told, use_default_callbacks=False)


def publisher_events(node: Node, topic: str) -> PublisherEventCallbacks:
    """Say in the log when a subscriber's QoS does not fit ours."""

    def told(event: object) -> None:
        node.get_logger().error(_words(node, topic, 'subscriber', event))

    return PublisherEventCallbacks(incompatible_qos=told, use_default_callbacks=False)


def _words(node: Node, topic: str, other: str, event: object) -> str:
    policy = getattr(event, 'last_policy_kind', 'unknown')
    return (
        f'{node.resolve_topic_name(topic)}: a {other} has an incompatible QoS (policy {policy}); '
        'no message passes between us'
    )
