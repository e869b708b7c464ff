"""Findings of all views become defects of the part: projection, association, probability."""
