"""Our messages and actions travel between real nodes."""

import threading

import rclpy
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import Decision, Defect, Verdict, ViewFindings
from rclpy.action import ActionClient, ActionServer
from rclpy.executors import MultiThreadedExecutor


def test_a_verdict_that_was_never_filled_in_is_not_an_accept() -> None:
    assert Verdict().decision.value == Decision.UNKNOWN == 0
    assert ViewFindings().status == ViewFindings.UNKNOWN == 0


def test_a_verdict_comes_through_the_action_and_the_topic_with_all_its_fields(ros: None) -> None:
    node = rclpy.create_node('interfaces')
    received: list[Verdict] = []
    arrived = threading.Event()

    def receive(message: Verdict) -> None:
        received.append(message)
        arrived.set()

    def serve(goal) -> InspectPart.Result:
        verdict = Verdict(part_id=goal.request.part_id, defects=[Defect(label='dent')])
        verdict.decision.value = Decision.REJECT
        publisher.publish(verdict)
        goal.succeed()
        return InspectPart.Result(verdict=verdict)

    node.create_subscription(Verdict, 'verdict', receive, 10)
    publisher = node.create_publisher(Verdict, 'verdict', 10)
    server = ActionServer(node, InspectPart, 'inspect_part', serve)
    client = ActionClient(node, InspectPart, 'inspect_part')
    executor = MultiThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    try:
        assert client.wait_for_server(10.0)
        result = client.send_goal(InspectPart.Goal(part_id='a1')).result
        assert arrived.wait(10.0)
    finally:
        executor.shutdown()
        thread.join()
        server.destroy()
        client.destroy()
        node.destroy_node()
    assert result.verdict.decision.value == Decision.REJECT
    assert result.verdict == received[0]
    assert received[0].part_id == 'a1'
    assert received[0].defects[0].label == 'dent'
