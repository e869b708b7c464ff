"""The sections of `cell.yaml` and `recipe.yaml`, each with its model, and calibration files."""
