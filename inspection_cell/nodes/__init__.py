"""ROS 2: thin nodes around the core; the only modules that import rclpy and messages."""
