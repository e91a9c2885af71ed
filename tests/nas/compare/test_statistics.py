"""Means, deviations and intervals, against scipy's tests and values worked out by hand."""

import pytest
from scipy import stats

from nas.compare.statistics import Difference, difference, summary

OURS = {1: 75.2, 2: 76.4, 3: 75.9, 4: 77.0}
THEIRS = {1: 74.9, 2: 75.1, 3: 75.8, 4: 75.5}


def test_summary_by_hand():
    found = summary([1.0, 2.0, 6.0])
    assert (found.n, found.mean, found.median, found.least, found.most) == (3, 3.0, 2.0, 1.0, 6.0)
    assert found.sd == pytest.approx(7**0.5)
    assert summary([5.0]).sd is None


def test_pairs_by_hand():
    """Differences 1, 2, 3: mean 2, error 1/√3, and 4.303 is t of two degrees of freedom."""
    found = difference({1: 2.0, 2: 4.0, 3: 6.0}, {3: 3.0, 2: 2.0, 1: 1.0})
    assert found.mean == 2.0 and found.paired and found.n == (3, 3)
    assert found.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert found.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)


def test_pairs_as_scipy_has_them():
    found = difference(OURS, THEIRS)
    test = stats.ttest_rel(list(OURS.values()), list(THEIRS.values()))
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)))


def test_pairs_are_of_the_seeds_that_both_have():
    found = difference({**OURS, 9: 1e6}, {8: -1e6, **THEIRS})
    assert found == difference(OURS, THEIRS)


@pytest.mark.parametrize("theirs", [(70.0, 71.5, 70.2), (70.0, 99.0)])
def test_without_pairs_as_scipy_has_it(theirs):
    found = difference(OURS, dict(enumerate(theirs, 10)))
    test = stats.ttest_ind(list(OURS.values()), theirs, equal_var=False)
    assert not found.paired and found.n == (4, len(theirs))
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)))


def test_one_seed_has_no_interval():
    assert difference({1: 3.0}, {1: 1.0}) == Difference(2.0, None, None, (1, 1), True)
    assert difference({1: 3.0}, {2: 1.0}) == Difference(2.0, None, None, (1, 1), False)
    assert difference({1: 3.0}, OURS).low is None
    assert difference(OURS, {1: 3.0}).n == (4, 1)


def test_equal_values_have_an_interval_of_no_width():
    """As of the weights of an arm whose genotype is given."""
    same = {1: 15310.0, 2: 15310.0}
    found = difference(same, {1: 15000.0, 2: 15000.0})
    assert (found.mean, found.low, found.high) == (310.0, 310.0, 310.0)
    found = difference(same, {3: 15000.0, 4: 15000.0})
    assert (found.mean, found.low, found.high) == (310.0, 310.0, 310.0)
