"""Who is in a recording, from the name of its file."""

import re
from typing import Any

from primus.errors import UserError


def person_pattern(owner: str, pattern: Any, needed: str = "participant") -> re.Pattern[str] | None:
    """Compile a pattern of file names; None stays None.

    Args:
        owner: the dataset or specification it belongs to, for messages.
        needed: the group it must have.

    Raises:
        UserError: it is no regular expression, or lacks the group.
    """
    if pattern is None:
        return None
    try:
        compiled = re.compile(str(pattern))
    except re.error as error:
        raise UserError(f"{owner}: pattern {pattern!r} is not a regular expression ({error})") from error
    if needed not in compiled.groupindex:
        raise UserError(f"{owner}: pattern {pattern!r} has no group (?P<{needed}>...)")
    return compiled


def person_in(file: str, pattern: re.Pattern[str] | None, population: str) -> str | None:
    """The participant a file's name gives, as "<population>/<id>"; None where it gives none."""
    match = pattern.search(file) if pattern else None
    return f"{population}/{match['participant']}" if match and match["participant"] else None
