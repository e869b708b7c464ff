"""When a measurement proves that a part is good, that it is bad, or neither (ISO 14253-1)."""

from math import nan

import pytest

from inspection_cell.errors import DataError
from inspection_cell.findings import Conformity
from inspection_cell.surface.features.measured import Measured


def measured(value, low, high, uncertainty=0.01, reason=''):
    return Measured('hole', 'diameter', value, 'mm', low, high, uncertainty, 500, reason=reason)


@pytest.mark.parametrize(
    ('value', 'low', 'high', 'expected'),
    [
        (8.00, 7.9, 8.1, Conformity.CONFORMS),
        (8.095, 7.9, 8.1, Conformity.UNCERTAIN),
        (8.105, 7.9, 8.1, Conformity.UNCERTAIN),
        (8.12, 7.9, 8.1, Conformity.BREAKS),
        (7.88, 7.9, 8.1, Conformity.BREAKS),
        (7.905, 7.9, 8.1, Conformity.UNCERTAIN),
        (0.00, None, 0.05, Conformity.CONFORMS),
        (0.045, None, 0.05, Conformity.UNCERTAIN),
        (0.07, None, 0.05, Conformity.BREAKS),
    ],
)
def test_uncertainty_counts_against_the_proof(value, low, high, expected):
    assert measured(value, low, high).conformity is expected


def test_limits_closer_than_the_uncertainty_are_never_proven_kept():
    assert measured(8.0, 7.995, 8.005).conformity is Conformity.UNCERTAIN


def test_what_was_not_measured_conforms_to_nothing():
    found = measured(nan, 7.9, 8.1, nan, reason='only 3 points')
    assert found.conformity is Conformity.UNKNOWN
    assert Conformity.UNKNOWN == 0


@pytest.mark.parametrize(('value', 'uncertainty'), [(nan, 0.01), (8.0, nan), (8.0, float('inf'))])
def test_a_value_that_is_no_number_is_refused_without_a_reason(value, uncertainty):
    with pytest.raises(DataError, match='is no number'):
        measured(value, 7.9, 8.1, uncertainty)


def test_a_measurement_reads_as_one_line_with_value_limits_and_decision():
    assert str(measured(8.0123, 7.9, 8.1)) == 'hole: 8.0123 ± 0.0100 mm [7.9, 8.1] conforms'
