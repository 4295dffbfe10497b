"""When an interval supports a statement, contradicts it, or leaves it open."""

import math

from primus.reporting.results import Interval

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
SMALLER = "a gain, smaller than claimed"
LEVEL = 0.05
_TO_90 = 1.6449 / 1.9600
"""Half width of a 90 % interval over that of a 95 % one, for a normal estimate."""


def gains(gain: Interval, size: float = 0.0, margin: float = 0.0) -> str:
    """Is there a gain of `size`, but for `margin`?

    Supported where the interval lies above zero and the estimate reaches the size less the margin. Else, where the whole interval lies below the
    size: a smaller gain where it also lies above zero, not supported where it does not. Undecided where it holds both zero or less than the size,
    and the size.
    """
    if gain.lo > 0 and gain.mean >= size - margin:
        return SUPPORTED
    if gain.hi <= 0:
        return NOT_SUPPORTED
    if gain.hi < size:
        return SMALLER if gain.lo > 0 else NOT_SUPPORTED
    return UNDECIDED


def equals(gain: Interval, margin: float, p_equivalent: float | None = None) -> str:
    """Are two accuracies equal but for `margin`? By two one-sided tests at 5 %.

    `p_equivalent` is their p value where it is known; else the 90 % interval says the same, of the draws where it is known, or the 95 % one made
    narrower.
    """
    if gain.lo > margin or gain.hi < -margin:
        return NOT_SUPPORTED
    if p_equivalent is not None:
        return SUPPORTED if p_equivalent < LEVEL else UNDECIDED
    narrowed = gain.mean - _TO_90 * (gain.mean - gain.lo), gain.mean + _TO_90 * (gain.hi - gain.mean)
    low, high = gain.at_90 or narrowed
    return SUPPORTED if low > -margin and high < margin else UNDECIDED


def within(value: Interval, low: float, high: float, margin: float) -> str:
    """Does a score lie in [low, high], but for `margin` on either side?"""
    if value.lo > high + margin or value.hi < low - margin:
        return NOT_SUPPORTED
    return SUPPORTED if value.lo >= low - margin and value.hi <= high + margin else UNDECIDED


def unpaired(a: Interval, b: Interval) -> Interval:
    """a - b from two intervals of separate runs, as if they were independent (Zou and Donner 2008, doi 10.1002/sim.3095)."""
    mean = a.mean - b.mean
    return Interval(mean, mean - math.hypot(a.mean - a.lo, b.hi - b.mean), mean + math.hypot(a.hi - a.mean, b.mean - b.lo))
