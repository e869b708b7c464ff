"""Scans against the reference: registration, deviation, defects, features, what was seen."""
