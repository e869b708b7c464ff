"""The processes that the benchmark measures with, through the real middleware."""

import numpy as np

from inspection_cell.bench.release import release_latencies_ms
from inspection_cell.bench.transport import Traffic, pass_images, tuned_environment


def test_every_small_image_arrives_once_and_is_as_old_as_it_says():
    traffic = Traffic(seconds=2.0, reliable=True, width=64, height=48, rate_hz=5.0)
    passage = pass_images(tuned_environment(), traffic)
    assert 1 <= passage.sent <= 10
    assert len(passage.latencies_ms) == passage.sent
    assert (passage.latencies_ms > 0).all()
    assert passage.inferences == 0


def test_every_permit_is_answered_by_one_release_of_its_own_part():
    latencies_ms = release_latencies_ms(tuned_environment(), 5)
    assert latencies_ms.shape == (5,)
    assert np.isfinite(latencies_ms).all()
    assert (latencies_ms > 0).all()
