"""Who gives shots, who validates and who is tested under the published protocols, where takes are few."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from primus.evaluation.feature_files import read_feature_files
from primus.evaluation.fewshot_run import sources_of
from primus.evaluation.probes.sgd import SgdProbe, SgdSettings
from primus.evaluation.protocols import HEAD_VALIDATION, apply_protocol, code_sizes
from primus.evaluation.settings import FewShotParams
from primus.evaluation.sweep import Sweep, plan_fits
from primus.evaluation.tasks import build_tasks
from primus.keyed_arrays import KeyedArrays
from primus.params import load
from tests.evaluation.fewshot_project import build, corpus


def test_of_few_takes_shots_and_test_are_served_first() -> None:
    found = {takes: tuple(code_sizes(takes).values()) for takes in range(1, 9)}
    assert list(code_sizes(8)) == ["shots", HEAD_VALIDATION, "test"]
    assert found[1] == (1, 0, 0)
    assert found[2] == (1, 0, 1)
    assert found[3] == (2, 0, 1)
    assert found[4] == (2, 1, 1)
    assert found[8] == (4, 2, 2)
    for takes, sizes in found.items():
        assert sum(sizes) == takes
        assert all(abs(size - share * takes) < 1 for size, share in zip(sizes, (0.5, 0.25, 0.25), strict=True))


@pytest.mark.parametrize("takes", [1, 2, 3, 5])
def test_every_class_with_two_takes_is_tested_and_has_shots(takes: int) -> None:
    rows = [
        {"segment_id": f"{label}{number}_0", "dataset": "d", "take_uid": f"{label}{number}", "participant": f"d/{number}", "label": label}
        for label, count in (("climb", takes), ("cook", 8))
        for number in range(count)
    ]
    segments = pd.DataFrame(rows).assign(purpose="probe", start_s=0.0, end_s=5.0)
    trained = segments.iloc[:1].assign(segment_id="t_0", take_uid="t", participant="d/t", purpose="pretrain", label=None)
    splits = segments[["dataset", "take_uid", "participant"]].assign(fold=0, split=["shots", "test"] * (len(segments) // 2) + ["test"] * (takes % 2))
    _, cut = apply_protocol("code", pd.concat([segments, trained], ignore_index=True), splits, seed=0)
    of_class = cut[cut["take_uid"].str.startswith("climb")]["split"].value_counts().to_dict()
    assert of_class == {name: size for name, size in code_sizes(takes).items() if size}


def test_validation_labels_that_the_pool_lacks_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, also=[], probe="sgd", shots=[1], sgd={"epochs": 2, "select": "validation"})
    monkeypatch.chdir(tmp_path)
    params = load(FewShotParams, "fewshot")
    assert params.sgd == SgdSettings(epochs=2, select="validation")
    segments, splits, _ = corpus()
    (task,) = (task for task in build_tasks(segments, splits) if task.dataset == "street")
    validation = task.test[["segment_id", "label"]]
    task = replace(task, pool=task.pool[task.pool["label"] != "cook"].reset_index(drop=True), validation=validation)
    files = read_feature_files(Path("data") / "small", "primus")
    assert not isinstance(files, str)
    with KeyedArrays("data/small/segments/imu.h5") as imu:
        sweep = Sweep(params, imu, "imu", None)
        (fit, *_) = plan_fits([task], sources_of(files, params), params)
        probe = sweep._probe(fit)
        assert isinstance(probe, SgdProbe)
        assert probe.validation is not None
        features, truth = probe.validation
        kept = validation[validation["label"] != "cook"]
        assert truth.tolist() == [["climb", "dance"].index(label) for label in kept["label"]]
        assert features.shape[0] == len(kept) < len(validation)
        assert torch.isfinite(features).all()
        alone = replace(fit, task=replace(task, validation=validation[validation["label"] == "cook"]))
        assert sweep._probe(alone).validation is None  # type: ignore[attr-defined]
