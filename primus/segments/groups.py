"""Who must stay together when takes are divided: one name for it, wherever people are kept apart or counted."""


def group_of(dataset: str, take_uid: str, participant: str | None) -> str:
    """The participant, or, where nobody is known, the take under a name that is no participant's.

    Participants are "<population>/<id>" and the population is often called as its data set, so "<dataset>/<take_uid>" could be somebody.
    """
    return participant or f"take:{dataset}/{take_uid}"
