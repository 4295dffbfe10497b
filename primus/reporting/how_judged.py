"""What was done with the encoders, and with whose labels, in words: frozen with a probe, or fine-tuned; which people gave shots."""

from collections.abc import Sequence

from primus.reporting.results import Results

FINETUNE = "finetune"

HEADS = {
    "logistic": "logistic regression, L2-regularised, on standardised outputs of the frozen encoder",
    "knn": "the vote of the nearest shots, on standardised outputs of the frozen encoder",
    "prototype": "the class whose mean shot is nearest, on standardised outputs of the frozen encoder",
    "sgd": "the released code's head: a linear layer trained for a fixed number of epochs on outputs at unit length",
    "forest": "a random forest on outputs as they are",
    "finetune": "encoder and linear head trained together on the shots, nothing frozen",
}
"""What each head is."""

SHORT = {"logistic": "logistic regression", "knn": "nearest neighbours", "prototype": "nearest class mean", "sgd": "a linear layer trained by AdamW",
         "forest": "a random forest"}  # fmt: skip
"""Heads on frozen outputs, within a sentence."""

PROTOCOLS = {
    "table1": "Protocol table1: {datasets} takes its shots from the recordings that encoders were pretrained on (without labels), and all takes of "
    "its probe are tested.",
    "code": "Protocol code, as released: labelled takes of {datasets} were cut into shots, head validation and test by take, whoever is in them, so "
    "that people may be on both sides.",
    "leave_site_out": "Protocol leave_site_out: where sites are known, each is tested with shots from the others.",
}
"""What differs from the default protocol, under which nobody who is tested gave shots or was pretrained on."""


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def in_both(results: Results) -> str:
    """The data sets that give pretraining and labelled segments, which are those that protocols differ in."""
    parts = results.beside.composition
    both = set(parts.loc[parts["split"] == "train", "dataset"]) & set(parts.loc[parts["split"] == "test", "dataset"])
    return listed(sorted(both)) or "a data set that is also pretrained on"


def tuned(results: Results) -> tuple[list[str], list[str]]:
    """Methods judged by a probe on what was frozen, and those whose encoder was trained on the shots."""
    whole = [name for name in results.methods if results.head(name) == FINETUNE]
    return [name for name in results.methods if name not in whole], whole


def what_is_scored(results: Results) -> str:
    """`frozen features`, `frozen features (standard: fine-tuned)`, `fine-tuned encoders`: for headings."""
    frozen, whole = tuned(results)
    if not whole:
        return "frozen features"
    if not frozen:
        return "fine-tuned encoders"
    if len(whole) <= len(frozen):
        return f"frozen features ({listed(whole)}: fine-tuned)"
    return f"fine-tuned encoders ({listed(frozen)}: frozen features)"


def how_judged(results: Results) -> str:
    """Sentences that say what was fitted on k labelled segments per class."""
    frozen, whole = tuned(results)
    said = []
    if frozen:
        heads = [results.head(name) for name in frozen]
        by_use = sorted(dict.fromkeys(heads), key=heads.count, reverse=True)
        probes = [SHORT.get(head, head) + (f" for {listed(_judged_by(results, head))}" if head != by_use[0] else "") for head in by_use]
        most = len(frozen) > len(whole)
        start = (
            f"The features of {f'all methods but {listed(whole)}' if most else listed(frozen)} were frozen" if whole else "Each encoder was frozen"
        )
        said.append(f"{start}, every labelled segment encoded once, and a probe fitted on k segments per class ({'; '.join(probes)}).")
    if whole:
        which = "Every encoder" if not frozen else f"The encoder of {listed(whole)}" if most else "Every other encoder"
        said.append(f"{which} was fine-tuned: encoder and linear head trained together on k segments per class, for every draw of them.")
    return " ".join(said)


def who_was_tested(results: Results) -> str:
    """Whether anybody who was tested gave shots or was pretrained on, for the curves."""
    if results.protocol in ("table1", "code"):
        return f"The whole test set was scored. {PROTOCOLS[results.protocol].format(datasets=in_both(results))} {_shared(results)}"
    if results.protocol == "leave_site_out":
        return f"{PROTOCOLS['leave_site_out']} Nobody tested was seen in pretraining or among the shots."
    return "The whole test set was scored, and nobody in it was seen in pretraining or among the shots."


def _shared(results: Results) -> str:
    shared = [f"{facts.shared} in {name}" for name, facts in results.datasets.items() if facts.shared]
    return f"People who give shots and are tested: {', '.join(shared) or 'none'}."


def _judged_by(results: Results, head: str) -> list[str]:
    return [name for name in results.methods if results.head(name) == head]


def whose_labels(results: Results) -> str:
    """Who is tested with whose shots, for Table I."""
    if results.protocol in PROTOCOLS:
        said = PROTOCOLS[results.protocol].format(datasets=in_both(results))
        if results.protocol == "leave_site_out":
            return f"{said} The splits shown are those that data sets without sites, and pretraining, have."
        return f"{said} {_shared(results)}"
    return "Nobody is both among the shots, or in pretraining, and in the test set of a fold, where recordings name their participant."
