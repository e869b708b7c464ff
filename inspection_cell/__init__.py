"""Robotic inspection cell: cameras and 3D sensors in, one proven verdict per part out."""

__version__ = '0.1.0'
