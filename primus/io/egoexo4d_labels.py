"""The eight activities of the paper, from an Ego-Exo4D take's task, or from its name where the task is not given."""

import math

CLASSES = ("medical test", "repair bike", "climb rock", "soccer/basketball", "perform CPR", "cook", "dance", "play music")
"""In the order of the published class ids 0 to 7."""

_BY_PARENT = {
    "cooking": "cook",
    "bike repair": "repair bike",
    "music": "play music",
    "basketball": "soccer/basketball",
    "soccer": "soccer/basketball",
    "rock climbing": "climb rock",
    "dance": "dance",
}
_PARENT_BY_ID = {
    1000: "cooking",
    2000: "health",
    4000: "bike repair",
    5000: "music",
    6000: "basketball",
    7000: "rock climbing",
    8000: "soccer",
    9000: "dance",
}
_HEALTH = {"covid": "medical test", "antigen": "medical test", "cpr": "perform CPR"}
_BY_NAME = {
    "medical test": ("covid", "pcr"),
    "repair bike": ("bike",),
    "climb rock": ("bouldering", "rockclimbing"),
    "soccer/basketball": ("soccer", "basketball"),
    "perform CPR": ("cpr",),
    "cook": ("cooking", "omelet", "salad", "sushi"),
    "dance": ("dance",),
    "play music": ("music", "guitar", "piano", "violin"),
}


def label_of(take_name: str, task_name: object, parent_task_name: object, task_id: object) -> str | None:
    """The take's class, or None when it is none of the eight.

    The parent task decides; health tasks are told apart by the task's own name. Where the task is null or unknown, the take's name decides, by the
    substrings the published label list was made with.
    """
    parent = parent_task_name.strip().lower() if isinstance(parent_task_name, str) else ""
    if not parent and isinstance(task_id, int | float) and math.isfinite(task_id):
        parent = _PARENT_BY_ID.get(int(task_id) // 1000 * 1000, "")
    if parent in _BY_PARENT:
        return _BY_PARENT[parent]
    if parent == "health" and isinstance(task_name, str):
        named = {label for word, label in _HEALTH.items() if word in task_name.lower()}
        if len(named) == 1:
            return named.pop()
    return label_of_name(take_name)


def label_of_name(take_name: str) -> str | None:
    """The class whose words occur in a take's name ("nus_covidtest_31_4" -> "medical test"); None when none or several do."""
    lowered = take_name.lower()
    named = [label for label, words in _BY_NAME.items() if any(word in lowered for word in words)]
    return named[0] if len(named) == 1 else None
