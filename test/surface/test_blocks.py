import numpy as np
import pytest

from inspection_cell.surface.blocks import ROWS, in_turn, shared


@pytest.mark.parametrize('deal', [in_turn, shared])
@pytest.mark.parametrize('count', [0, 1, ROWS, ROWS + 1, 7 * ROWS + 3])
def test_every_row_is_worked_on_exactly_once(deal, count):
    worked = np.zeros(count, dtype=int)

    def work(rows):
        worked[rows] += 1

    deal(work, count)
    assert (worked == 1).all()


@pytest.mark.parametrize('block', [0, 3, 6])
def test_what_fails_in_any_block_is_told(block):
    def work(rows):
        if rows.start == block * ROWS:
            raise ValueError('this one')

    with pytest.raises(ValueError, match='this one'):
        shared(work, 7 * ROWS)
