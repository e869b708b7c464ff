"""Measurement of geometric features on registered scans."""
