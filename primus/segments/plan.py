"""From the profile's data sets to jobs: what every take is for, and by which policy it is cut."""

from collections.abc import Mapping, Sequence
from typing import Any

from primus.errors import UserError
from primus.io.takes import Take
from primus.segments.segmenter import POLICIES, Policy, TakeJob

PURPOSES = ("pretrain", "probe")


def dataset_purposes(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The `purpose` setting of a data set: pretrain, probe, or both.

    Raises:
        UserError: it is missing or names something else.
    """
    found = config.get("purpose")
    purposes = (found,) if isinstance(found, str) else tuple(found or ())
    if not purposes or not set(purposes) <= set(PURPOSES):
        raise UserError(f"data set {name}: purpose is {found!r}; expected a list of {' and '.join(PURPOSES)}")
    return purposes


def plan_takes(name: str, config: Mapping[str, Any], takes: Sequence[Take]) -> list[TakeJob]:
    """A job for every take of a data set.

    A data set with both purposes gives its official training takes to pretraining and the other official splits to the probe; where it has no
    official splits, its labelled takes go to the probe and the others to pretraining.

    The setting `policy` is one policy, or one for each purpose; where it says nothing, takes to pretrain on are cut around their narrations
    and, without any, in tiles; takes of the probe around their labelled activities and, without any, in tiles.

    Raises:
        UserError: `purpose` or `policy` is not one of the known.
    """
    purposes = dataset_purposes(name, config)
    chosen = _policies(name, config.get("policy"))
    jobs = []
    for take in takes:
        purpose = _purpose(take, purposes)
        jobs.append(TakeJob(take, purpose, chosen.get(purpose) or _usual_policy(take, purpose)))
    return jobs


def _purpose(take: Take, purposes: tuple[str, ...]) -> str:
    if len(purposes) == 1:
        return purposes[0]
    if take.official_split is not None:
        return "pretrain" if take.official_split == "train" else "probe"
    return "probe" if take.label is not None or take.activities else "pretrain"


def _usual_policy(take: Take, purpose: str) -> Policy:
    if purpose == "pretrain":
        return "narration" if take.narrations else "tile"
    return "labelled" if take.activities else "tile"


def _policies(name: str, setting: Any) -> dict[str, Policy]:
    by_purpose = setting if isinstance(setting, Mapping) else dict.fromkeys(PURPOSES, setting) if setting is not None else {}
    wrong = [key for key in by_purpose if key not in PURPOSES] + [value for value in by_purpose.values() if value not in POLICIES]
    if wrong:
        raise UserError(f"data set {name}: policy is {setting!r}; expected one of {', '.join(POLICIES)}, or one for each of {', '.join(PURPOSES)}")
    return dict(by_purpose)


def require_unique_takes(jobs: Sequence[TakeJob]) -> None:
    """Raise UserError when two takes, of one data set or of two, have the same uid: segment ids would collide."""
    seen: dict[str, str] = {}
    for job in jobs:
        uid, dataset = job.take.take_uid, job.take.dataset
        if uid in seen:
            where = f"twice in data set {dataset}" if seen[uid] == dataset else f"in the data sets {seen[uid]} and {dataset}"
            raise UserError(f"the take {uid!r} occurs {where}; segment ids are made of it: rename one recording, or give one data set a `prefix`")
        seen[uid] = dataset
