"""Summaries over seeds, and differences with confidence intervals (Student's t)."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Of one figure over seeds. `sd`: the sample standard deviation (n - 1), None where n is 1."""

    n: int
    mean: float
    sd: float | None
    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Difference:
    """Mean of one arm minus that of another.

    Parameters
    ----------
    low, high: interval of `CONFIDENCE`; None where there are too few seeds for one
    n: seeds of each; of pairs they are the same
    paired: seed by seed, over the seeds that both have; else Welch's, over all
    """

    mean: float
    low: float | None
    high: float | None
    n: tuple[int, int]
    paired: bool


def summary(values: Sequence[float]) -> Summary:
    """Of one value or more."""
    return Summary(
        n=len(values),
        mean=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        median=statistics.median(values),
        least=min(values),
        most=max(values),
    )


def difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Difference:
    """`ours` minus `theirs`, both seed -> value and neither empty.

    A seed decides which images are drawn and how the weights begin, so that runs of one seed are
    compared with each other: the mean of the differences of the seeds that both have, where these
    are two or more. Else the difference of the means, with Welch's interval where both have two
    values or more.
    """
    shared = sorted(ours.keys() & theirs.keys())
    if len(shared) > 1:
        pairs = [ours[seed] - theirs[seed] for seed in shared]
        n = len(pairs)
        mean, error = statistics.fmean(pairs), statistics.stdev(pairs) / math.sqrt(n)
        return Difference(mean, *_interval(mean, error, n - 1), n=(n, n), paired=True)
    a, b = list(ours.values()), list(theirs.values())
    n = (len(a), len(b))
    mean = statistics.fmean(a) - statistics.fmean(b)
    if min(n) < 2:
        return Difference(mean, None, None, n, paired=len(shared) == 1 and n == (1, 1))
    parts = [statistics.variance(values) / len(values) for values in (a, b)]
    error = math.sqrt(sum(parts))
    # Welch and Satterthwaite's degrees of freedom; of no account where the error is 0.
    spread = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True))
    freedom = error**4 / spread if spread else math.inf
    return Difference(mean, *_interval(mean, error, freedom), n=n, paired=False)


def _interval(mean: float, error: float, freedom: float) -> tuple[float, float]:
    reach = error * float(t.ppf((1 + CONFIDENCE) / 2, freedom)) if error else 0.0
    return mean - reach, mean + reach
