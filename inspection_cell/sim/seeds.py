"""Random streams of the simulator: one per purpose, seed and thing, independent of call order."""

import zlib
from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What simulated parts are for; streams of two purposes never meet, whatever the seeds."""

    TRAIN = 1
    TUNE = 2
    DEMO = 3
    TEST = 4


def stream(purpose: Purpose, seed: int, *keys: str | int) -> np.random.Generator:
    """The generator for one thing, named by `keys`; always the same one for the same arguments.

    The purpose is part of the spawn key of the SeedSequence, which separates streams by design.
    """
    words = (zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys)
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), *words))
    return np.random.default_rng(sequence)
