"""The only package that knows Ultralytics (AGPL-3.0): its models in, our values out.

Kept silent and offline: no downloads, no installation of packages, no telemetry. Its modules
import the vendor's library through `offline`, which sees to that first.
"""
