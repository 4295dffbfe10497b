"""Narrations written by hand: a CSV with the columns take, timestamp_s, text (seconds from the take's start)."""

import csv
import math
from collections.abc import Collection
from pathlib import Path

from primus.errors import UserError
from primus.io.takes import Narration
from primus.schema import Reject

COLUMNS = ("take", "timestamp_s", "text")


def read_narrations_csv(path: Path, dataset: str, takes: Collection[str]) -> tuple[dict[str, tuple[Narration, ...]], list[Reject]]:
    """Narrations of each take, ordered in time, and a reject of scope "annotation" for each row that cannot be used.

    Args:
        path: the file; further columns are ignored.
        takes: take_uids that exist; rows of others are rejected as `not_in_takes`.

    Raises:
        UserError: the file is not a CSV with these columns.
    """
    found: dict[str, list[Narration]] = {}
    rejects: list[Reject] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or [])]
            if missing:
                raise UserError(f"{path.name} has no column {', '.join(missing)}; expected a header with {', '.join(COLUMNS)}")
            for row in rows:
                take, time_s, text = (str(row[column] or "").strip() for column in COLUMNS)
                at = _seconds(time_s)
                line = f"{path.name} line {rows.line_num}"
                if take not in takes:
                    rejects.append(Reject(dataset, take, "not_in_takes", f"{line}: no recording of that name", "annotation"))
                elif not text:
                    rejects.append(Reject(dataset, take, "no_text", f"{line}: no text", "annotation", start_s=at))
                elif at is None:
                    rejects.append(Reject(dataset, take, "unreadable_metadata", f"{line}: timestamp_s {time_s!r} is not a number", "annotation"))
                else:
                    found.setdefault(take, []).append(Narration(at, text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path.name} cannot be read as a CSV ({error}); expected UTF-8 with the columns {', '.join(COLUMNS)}") from error
    return {take: tuple(sorted(narrations, key=lambda one: (one.time_s, one.text))) for take, narrations in found.items()}, rejects


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
