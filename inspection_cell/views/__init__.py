"""Inspectors: what one view's image or scan shows."""
