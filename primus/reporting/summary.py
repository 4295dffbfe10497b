"""metrics/summary.json: the few numbers that `dvc metrics diff` and `dvc exp show` put side by side."""

from typing import Any

from primus.reporting.results import Results


def summary_metrics(results: Results) -> dict[str, Any]:
    """Nested scalars: the profile, then per data set and method the headline scores, then what shows that pretraining is alive."""
    summary: dict[str, Any] = {
        "profile": results.profile,
        "corpus": "simulation" if results.simulated else "real",
        "shots": results.headline,
    }
    summary |= lead_metrics(results)
    for dataset in results.datasets:
        of_dataset: dict[str, Any] = {}
        for method in results.methods:
            accuracy, f1 = results.score(dataset, method), results.score(dataset, method, "macro_f1")
            of_dataset[method] = {
                "accuracy": round(accuracy.mean, 4),
                "accuracy_lo": round(accuracy.lo, 4),
                "accuracy_hi": round(accuracy.hi, 4),
                "macro_f1": round(f1.mean, 4),
            }
        summary[dataset] = of_dataset
    health = {method: found for method in results.methods if (found := pretraining_health(results, method))}
    return summary | ({"pretrain": health} if health else {})


def lead_metrics(results: Results) -> dict[str, float]:
    """Accuracy and gain over the reference of the one method and data set that experiments are listed by; empty where it was skipped."""
    dataset, method = results.lead
    if dataset not in results.datasets or method not in results.methods:
        return {}
    found = {"accuracy": results.score(dataset, method)}
    gain = results.gain(dataset, method)
    if gain is not None:
        found["gain"] = gain
    return {
        f"{name}{ending}": round(value, 4)
        for name, interval in found.items()
        for ending, value in (("", interval.mean), ("_lo", interval.lo), ("_hi", interval.hi))
    }


def pretraining_health(results: Results, method: str) -> dict[str, float]:
    """Effective rank of the probed representation at the end of pretraining, and 1 where it collapsed; empty for an untrained encoder."""
    final = results.pretraining.get(method, {}).get("final", {})
    numbers = final.get("health", {}).get(results.representation(method), {})
    return {name: round(float(numbers[name]), 2) for name in ("effective_rank", "collapsed") if name in numbers}
