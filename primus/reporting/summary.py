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


def pretraining_health(results: Results, method: str) -> dict[str, float]:
    """Effective rank of the probed representation at the end of pretraining, and 1 where it collapsed; empty for an untrained encoder."""
    final = results.pretraining.get(method, {}).get("final", {})
    numbers = final.get("health", {}).get(results.representation(method), {})
    return {name: round(float(numbers[name]), 2) for name in ("effective_rank", "collapsed") if name in numbers}
