"""Making detectors: labelled images from the simulator, and training."""
