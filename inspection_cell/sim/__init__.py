"""The simulated cell, without ROS: parts with seeded defects, cameras, scanner, robot, faults."""
