"""A cell in Gazebo: world, parts and bridge, as files that are written without Gazebo."""
