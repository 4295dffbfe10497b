"""What commands may write over: names say what is in a file, and a folder of other things is never replaced."""

from pathlib import Path

import pytest

from primus.commands.options import file_to_write, folder_to_write
from primus.errors import UserError


@pytest.mark.parametrize("name", ["model.safetensors", "recording.csv", "clip.mp4", "notes", "a.parquet.txt"])
def test_a_file_whose_name_says_otherwise_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not end in \.parquet"):
        file_to_write(tmp_path / name, ".parquet")


def test_a_folder_is_no_file_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UserError, match="is a folder"):
        file_to_write(tmp_path / "model.onnx", ".onnx")
    assert file_to_write(tmp_path / "new.onnx", ".onnx") == tmp_path / "new.onnx"


def test_only_earlier_results_and_empty_folders_are_replaced(tmp_path: Path) -> None:
    for name in ("empty", "earlier", "thesis"):
        (tmp_path / name).mkdir()
    (tmp_path / "earlier" / "head.json").write_text("{}")
    (tmp_path / "thesis" / "thesis.txt").write_text("years of work")
    for name in ("absent", "empty", "earlier"):
        folder_to_write(tmp_path / name, "head.json")
    with pytest.raises(UserError, match="folder of other things"):
        folder_to_write(tmp_path / "thesis", "head.json")


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "head.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for out in (".", "..", str(tmp_path), str(tmp_path.parent)):
        with pytest.raises(UserError, match="working folder"):
            folder_to_write(Path(out), "head.json")
