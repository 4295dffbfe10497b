"""Results of many runs: `make ablations` collects them in metrics/ablations.csv, and the report draws Fig. 5, Fig. 6 and the heat map from it.

The file is committed, with its header alone until somebody runs them, so that the graph needs no run but its own.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from primus.errors import UserError

COLUMNS = [
    "group", "variant", "x", "method", "dataset", "shots", "mean", "lo", "hi", "n_seeds", "profile",
    "reference", "difference", "difference_lo", "difference_hi",
]  # fmt: skip
"""What is read of it: `difference` is the paired one from the group's variant `reference`, empty for that variant itself."""
AT_90 = ["difference_lo_90", "difference_hi_90"]
"""Read, too, where they are there: rows written by earlier versions lack them."""
PAIRS = ("augmentation_pairs", "augmentations")
"""Groups that the heat map is drawn from: the first one of which anything was run."""
GROUPS = ("losses", "fraction_aligned", *PAIRS)
_SCORES = ["mean", "lo", "hi"]
_COUNTS = ["shots", "n_seeds"]
_MAY_LACK = ["x", "difference", "difference_lo", "difference_hi", *AT_90]
_TERMS = frozenset({"ss", "mm", "nn"})
_FILLING = frozenset({"l", "loss", "lambda", "alone", "only"})
REMEDY = "run `make ablations` again, or restore the file with `git checkout metrics/ablations.csv`"


def read_ablations(path: str | Path, profile: str) -> pd.DataFrame:
    """Rows (COLUMNS) that were run on `profile`; none where the file does not exist. Accuracies are shares.

    Raises:
        UserError: a column is missing, or a number is none or not a share.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame(columns=COLUMNS, dtype=str)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not a readable CSV file ({' '.join(str(error).split())[:200]}); {REMEDY}") from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}; {REMEDY}")
    table = table.assign(**{name: "" for name in AT_90 if name not in table})
    table = table.loc[(table["profile"] == profile) & table["group"].isin(GROUPS), [*COLUMNS, *AT_90]].reset_index(drop=True)
    for name in (*_COUNTS, *_SCORES, *_MAY_LACK):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = numbers.isna() & ~((name in _MAY_LACK) & (table[name] == ""))
        if wrong.any():
            raise UserError(f"{path}: {name} is {table.loc[wrong, name].iloc[0]!r} in row {int(wrong.argmax()) + 1}, expected a number; {REMEDY}")
        table[name] = numbers.astype(np.int64) if name in _COUNTS else numbers.astype(np.float64)
    outside = (table[_SCORES] < 0).any(axis=1) | (table[_SCORES] > 1).any(axis=1)
    if outside.any():
        raise UserError(f"{path}: row {int(outside.argmax()) + 1} holds an accuracy outside [0, 1], expected shares; {REMEDY}")
    return table


def terms_of(variant: str) -> frozenset[str] | None:
    """`ss-nn` or `SS+NN` -> {"ss", "nn"}, `all` -> all three; None where a name says anything more."""
    words = set(re.findall(r"[a-z]+", variant.lower())) - _FILLING
    if words == {"all"}:
        return _TERMS
    return frozenset(words) if words and words <= _TERMS else None


def at_shots(table: pd.DataFrame, group: str, shots: int) -> pd.DataFrame:
    """Rows of one group at one number of shots, in the order of the file."""
    return table[(table["group"] == group) & (table["shots"] == shots)]


def aligned_percent(table: pd.DataFrame) -> pd.Series:
    """`x` of the group fraction_aligned in percent; missing where a variant is no share (imu2clip, which has all aligned)."""
    return 100.0 * table["x"]


def augmentations_tried(table: pd.DataFrame, shots: int) -> pd.DataFrame:
    """Rows of the heat map at one number of shots: of every pair where these were run, else of the chosen ones."""
    found = [at_shots(table, group, shots) for group in PAIRS]
    return next((rows for rows in found if len(rows)), found[-1])


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the group augmentations with `first` and `second`: `a` is the diagonal, `a-b` stands for `b-a` as well where that was not run."""
    cells = {}
    for row in table.to_dict("records"):
        first, _, second = str(row["variant"]).partition("-")
        cells[row["dataset"], row["method"], first, second or first] = row
    for (dataset, method, first, second), row in list(cells.items()):
        cells.setdefault((dataset, method, second, first), row)
    rows = [row | {"first": first, "second": second} for (_, _, first, second), row in cells.items()]
    return pd.DataFrame(rows, columns=[*COLUMNS, "first", "second"])
