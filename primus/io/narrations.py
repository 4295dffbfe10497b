"""Narration files to timed texts: Ego-Exo4D's atomic descriptions and Ego4D's narrations, every accepted annotator pass."""

import re
from collections.abc import Iterable

from primus.io.json_fields import as_bool, as_mapping, as_seconds, objects_of
from primus.io.takes import Narration
from primus.schema import Reject

_EGO4D_TAG = re.compile(r"#\s*(C|O|unsure)\b", re.IGNORECASE)


def atomic_descriptions(dataset: str, take_uid: str, passes: object) -> tuple[tuple[Narration, ...], list[Reject]]:
    """The descriptions of one Ego-Exo4D take, of all passes that were not rejected, ordered in time.

    Args:
        passes: the take's list in `annotations/atomic_descriptions_*.json`. Both spellings in circulation are read: `subject` or
            `narration_subject`, JSON or string booleans, null fields.

    Returns:
        The narrations, and a reject of scope "annotation" for each description without a usable time or text.
    """
    found = (
        (description, description.get("timestamp"), description.get("text"))
        for one in objects_of(passes)
        if as_bool(one.get("rejected")) is not True
        for description in objects_of(one.get("descriptions"))
    )
    narrations, rejects = [], []
    for description, time, text in found:
        reject = _unusable(dataset, take_uid, time, text)
        if reject:
            rejects.append(reject)
            continue
        subject = description.get("subject", description.get("narration_subject"))
        narrations.append(
            Narration(
                time_s=as_seconds(time) or 0.0,
                text=str(text).strip(),
                subject=subject.strip().upper() if isinstance(subject, str) and subject.strip() else None,
                ego_visible=as_bool(description.get("ego_visible")),
                unsure=as_bool(description.get("unsure")),
            )
        )
    return _ordered(narrations), rejects


def ego4d_narrations(dataset: str, take_uid: str, entry: object) -> tuple[tuple[Narration, ...], list[Reject]]:
    """The narrations of one Ego4D video, both passes, ordered in time; nothing of a redacted video.

    The markers in the text become fields: "#C" the camera wearer, "#O" another person, "#unsure"; what remains is the text.

    Args:
        entry: the video's object in `annotations/narration.json`; either pass may be missing.

    Returns:
        The narrations, and a reject of scope "annotation" for each one without a usable time or text.
    """
    narrations: list[Narration] = []
    rejects: list[Reject] = []
    video = as_mapping(entry)
    if video.get("status") == "redacted":
        return (), rejects
    for name in ("narration_pass_1", "narration_pass_2"):
        for item in objects_of(as_mapping(video.get(name)).get("narrations")):
            raw, time = item.get("narration_text"), item.get("timestamp_sec")
            tags = {tag.lower() for tag in _EGO4D_TAG.findall(raw)} if isinstance(raw, str) else set()
            text = " ".join(_EGO4D_TAG.sub(" ", raw).split()) if isinstance(raw, str) else raw
            reject = _unusable(dataset, take_uid, time, text)
            if reject:
                rejects.append(reject)
                continue
            subject = "C" if "c" in tags else "O" if "o" in tags else None
            narrations.append(Narration(as_seconds(time) or 0.0, str(text), subject, unsure="unsure" in tags))
    return _ordered(narrations), rejects


def _unusable(dataset: str, take_uid: str, time: object, text: object) -> Reject | None:
    seconds = as_seconds(time)
    if seconds is None:
        return Reject(dataset, take_uid, "unreadable_metadata", f"narration at time {time!r}; expected seconds", scope="annotation")
    if not isinstance(text, str) or not text.strip():
        return Reject(dataset, take_uid, "no_text", f"narration {text!r} at {seconds:g} s", scope="annotation", start_s=seconds, end_s=seconds)
    return None


def _ordered(narrations: Iterable[Narration]) -> tuple[Narration, ...]:
    return tuple(sorted(narrations, key=lambda narration: narration.time_s))
