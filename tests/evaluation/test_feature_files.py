"""Files of features: what is written with them comes back, and a method without them says why."""

from pathlib import Path

import numpy as np
import pytest

from primus.errors import UserError
from primus.evaluation.encoders import SavedEncoder
from primus.evaluation.feature_files import encoder_attributes, features_path, hand_made_files, read_feature_files
from primus.keyed_arrays import write_keyed
from primus.run_folder import HandMade, write_skipped

ROW = {"feature": np.zeros((1, 4), dtype=np.float32)}


def test_features_of_encoders_come_back_with_their_weights(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "primus" / "seed2-fold1"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    encoder = SavedEncoder(folder, 2, 1, "multimodal", "finetune", True)
    write_keyed(features_path(tmp_path / "features" / "primus", folder.name), ["a"], ROW, encoder_attributes("primus", encoder))
    found = read_feature_files(tmp_path, "primus")
    assert not isinstance(found, str)
    (one,) = found
    assert (one.method, one.seed, one.fold, one.representation) == ("primus", 2, 1, "multimodal")
    assert (one.head, one.text_trained, one.model) == ("finetune", True, folder)


def test_hand_made_features_have_a_file_per_fold_and_nothing_to_train(tmp_path: Path) -> None:
    for target, attrs in hand_made_files(tmp_path / "features" / "hand", "hand", HandMade([0, 1], None), ["mean", "sd"]).items():
        write_keyed(target, ["a"], ROW, attrs)
    found = read_feature_files(tmp_path, "hand")
    assert not isinstance(found, str)
    assert [(one.seed, one.fold, one.representation, one.head, one.model) for one in found] == [
        (0, 0, "feature", "", None),
        (0, 1, "feature", "", None),
    ]
    assert found[0].file.path.name == "seed0-fold0.h5"
    assert found[0].file.attrs["columns"] == "mean,sd"


def test_a_method_without_features_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist; run `dvc repro features`"):
        read_feature_files(tmp_path, "primus")
    folder = tmp_path / "features" / "primus"
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=r"holds neither features nor skipped\.json"):
        read_feature_files(tmp_path, "primus")
    write_skipped(folder, "no training segment has video")
    assert read_feature_files(tmp_path, "primus") == "no training segment has video"
