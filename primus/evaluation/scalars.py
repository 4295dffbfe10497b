"""Estimates as the siblings `name`, `name_lo`, `name_hi` that metrics files and tables hold."""

from primus.evaluation.statistics import Estimate


def with_bounds(name: str, value: Estimate) -> dict[str, float]:
    """A mean and the bounds of its interval."""
    return {name: value.mean, f"{name}_lo": value.lo, f"{name}_hi": value.hi}
