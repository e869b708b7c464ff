"""Capture: which frame belongs to a view, and what its bytes mean."""
