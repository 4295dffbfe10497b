"""The folders of a method's models: what is written is read again, and nothing else is taken for it."""

from pathlib import Path

import pytest

from primus.artifacts import write_json
from primus.errors import UserError
from primus.run_folder import (
    HandMade,
    read_skipped,
    read_statistics,
    require_name,
    run_folders,
    run_name,
    write_skipped,
    write_statistics,
)


def test_a_folder_is_called_by_seed_and_fold(tmp_path: Path) -> None:
    assert [run_name(0, 0, 1), run_name(3, 0, 2), run_name(3, 1, 2)] == ["seed0", "seed3-fold0", "seed3-fold1"]
    for seed, fold, folds in ((0, 0, 1), (3, 0, 2), (3, 1, 2)):
        require_name(tmp_path / run_name(seed, fold, folds), seed, fold)
    for name in ("seed1", "seed0-fold1", "seed0 (copy)"):
        with pytest.raises(UserError, match="expected it in seed0 or seed0-fold0; remove it and rerun pretraining"):
            require_name(tmp_path / name, 0, 0)


def test_only_folders_of_encoders_are_listed(tmp_path: Path) -> None:
    for name in ("seed1", "seed0", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed2").write_text("a file")
    assert [path.name for path in run_folders(tmp_path)] == ["seed0", "seed1"]
    assert run_folders(tmp_path / "absent") == []


def test_reasons_come_back(tmp_path: Path) -> None:
    assert read_skipped(tmp_path) is None
    write_skipped(tmp_path, "no training segment has video")
    assert read_skipped(tmp_path) == "no training segment has video"
    write_json(tmp_path / "skipped.json", {})
    assert read_skipped(tmp_path) == "pretraining left no model"
    write_json(tmp_path / "skipped.json", {"reason": 3})
    with pytest.raises(UserError, match="holds no reason in words; rerun pretraining"):
        read_skipped(tmp_path)


def test_hand_made_features_are_announced(tmp_path: Path) -> None:
    assert read_statistics(tmp_path) is None
    made = HandMade([0, 1], "forest")
    write_statistics(tmp_path, made)
    assert read_statistics(tmp_path) == made
    write_json(tmp_path / "statistics.json", {"folds": 2, "probe": None})
    with pytest.raises(UserError, match="does not state folds and probe"):
        read_statistics(tmp_path)
