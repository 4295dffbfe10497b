"""Same params, same bytes: twice, after kills, and in experiments that must reuse what is done."""

import random
import statistics
import time

import pytest

from tests.verify.workshop import Workshop

pytestmark = [pytest.mark.verify, pytest.mark.timeout(5400)]


@pytest.mark.quick
def test_two_copies_give_the_same_metrics_bytes(finished: Workshop, copy: Workshop) -> None:
    copy.dvc("repro")
    assert copy.metrics() == finished.metrics()


@pytest.mark.quick
def test_a_second_repro_runs_nothing_and_costs_what_dvc_takes_to_look(finished: Workshop) -> None:
    """Against `dvc status`, which reads the same graph, locks and digests: seconds say more about the machine than about the graph."""

    def seconds(*command: str) -> float:
        started = time.monotonic()
        assert "Running stage" not in finished.dvc(*command).stdout
        return time.monotonic() - started

    pairs = [(seconds("repro"), seconds("status")) for _ in range(3)]
    assert statistics.median(repro / status for repro, status in pairs) <= 3, pairs


def test_kills_end_in_the_same_metrics_bytes(finished: Workshop, copy: Workshop, profile: str) -> None:
    """The kills are spread over the run: each is sent after a random share of the undisturbed run's time, then the run is started again."""
    draw, kills = random.Random(20251), 4 if profile == "tiny" else 10
    whole: float = finished.seconds  # type: ignore[attr-defined]
    hits = 0
    for _ in range(kills):
        hits += copy.repro_killed_after(draw.uniform(0.05, 0.3) * whole / (1 if profile == "tiny" else 3))
        copy.run("python", "-m", "primus", "mend")  # DVC cannot read its own lock file when it was killed while writing it
    copy.dvc("repro")
    print(f"{hits} of {kills} kills met a running stage")
    assert hits >= kills // 2
    assert copy.metrics() == finished.metrics()
    left = [str(p) for p in (copy.folder / "data").rglob(".*.tmp")] + [str(p) for p in (copy.folder / "data").rglob("*.spool")]
    assert left == []


def test_an_ablation_reruns_one_method_and_what_hangs_on_it(finished: Workshop, profile: str) -> None:
    done = finished.dvc("exp", "run", "--temp", "-n", "no-nn", "-S", "loss.lambda_nn=0")
    ran = {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")}
    assert ran == {"pretrain@primus", "features@primus", "fewshot", "zeroshot", "retrieval", "robustness", "report"}
    difference = finished.dvc("exp", "diff", "HEAD", "no-nn", "--json")
    assert '"loss.lambda_nn"' in difference.stdout


def test_queue_reuses_finished_work_and_two_ablations_compare(finished: Workshop) -> None:
    finished.dvc("exp", "run", "--queue", "-n", "no-mm", "-S", "loss.lambda_mm=0")
    finished.dvc("exp", "run", "--queue", "-n", "no-ss", "-S", "loss.lambda_ss=0")
    finished.dvc("queue", "start", "--jobs", "1")
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        status = finished.dvc("queue", "status").stdout
        if "Running" not in status and "Queued" not in status:
            break
        time.sleep(3)
    assert status.count("Success") == 2, status
    difference = finished.dvc("metrics", "diff", "no-mm", "no-ss", "--json")
    assert "summary.json" in difference.stdout
