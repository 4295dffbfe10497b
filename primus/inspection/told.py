"""The facts of a take in words, for the page and the picture."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "take_uid": ("take", ""),
    "dataset": ("data set", ""),
    "source": ("recording", ""),
    "rate_hz": ("rate", " Hz"),
    "duration_s": ("length", " s"),
    "first_timestamp_ns": ("first stamp", " ns"),
    "mean_specific_force_m_s2": ("mean specific force", " m/s²"),
    "take_s": ("take length", " s"),
    "notes": ("repairs", ""),
}


def told(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as a person reads them; what is empty says "none"."""
    return [(_WORDS.get(name, (name, ""))[0], _value(value) + _WORDS.get(name, ("", ""))[1]) for name, value in facts.items()]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "none"
    return str(value)
