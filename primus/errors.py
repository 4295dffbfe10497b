"""The two kinds of expected failure: a person's mistake, and a piece of data that is refused."""

from primus.schema import REASONS


class UserError(Exception):
    """A mistake the person running the command can mend.

    The message is one line and names the thing, the value found, what was expected and the remedy; commands print it without a
    traceback and exit non-zero.
    """


class Rejected(Exception):
    """A take, recording or segment that is refused, with a reason from the closed list `primus.schema.REASONS`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in REASONS:
            raise ValueError(f"unknown reject reason {reason!r}; the closed list is {sorted(REASONS)}")
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason
