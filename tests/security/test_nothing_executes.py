"""Nothing that is read can execute: the calls that could are not in the code, and files that try it are refused before they do anything."""

import ast
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from primus.embeddings.hf_clip import read_clip_folder
from primus.errors import UserError
from primus.models.weights import load_released_checkpoint
from primus.params import load_value
from primus.work_cache import WorkCache

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted([*(ROOT / "primus").rglob("*.py"), *(ROOT / "stages").glob("*.py")])
FORBIDDEN = {
    "eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "marshal.loads",
    "shelve.open", "dill.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "np.fromregex", "pd.read_pickle", "pandas.read_pickle",
    "archive.extractall", "shutil.unpack_archive", "tarfile.open", "subprocess.getoutput",
}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_call_runs_what_it_reads(path: Path) -> None:
    for node, name in calls(path):
        place = f"{path.name}:{node.lineno}: {name}"
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert name not in FORBIDDEN, place
        assert not name.endswith((".extractall", ".extract")), f"{place} writes where an archive says"
        assert given.get("shell") in (None, "False"), f"{place} starts a shell"
        assert given.get("allow_pickle") in (None, "False"), place
        assert given.get("trust_remote_code") in (None, "False"), place
        if name == "torch.load":
            assert given.get("weights_only") == "True", f"{place} must read weights only"
        if name == "np.load":
            assert given.get("allow_pickle") == "False", place


class Executes:
    """A pickle of it creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def _saved(path: Path, mark: Path) -> None:
    torch.save({"state_dict": {"imu_encoder.a": torch.zeros(1)}, "callbacks": Executes(mark)}, path)


def _bare(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Executes(mark)}))


def _packed(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Executes(mark)))
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("write", [_saved, _bare, _packed])
def test_a_checkpoint_that_executes_is_refused_and_does_not(write: Callable[[Path, Path], None], tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    write(tmp_path / "released.ckpt", mark)
    with pytest.raises(UserError) as refused:
        load_released_checkpoint(tmp_path / "released.ckpt")
    assert "\n" not in str(refused.value)
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "clip"}')
    write(folder / "pytorch_model.bin", mark)
    with pytest.raises(UserError):
        read_clip_folder(folder)
    assert not mark.exists()


def test_a_cache_entry_that_is_a_pickle_is_no_entry(tmp_path: Path) -> None:
    cache, key, mark = WorkCache("x", tmp_path), "ab" + "0" * 62, tmp_path / "executed"
    cache.store(key, {}, {})
    (tmp_path / "x" / "ab" / f"{key}.entry").write_bytes(pickle.dumps(Executes(mark)))
    assert cache.load(key) is None
    assert not mark.exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/object/new:os.system", "!!python/name:os.system"])
def test_params_cannot_name_python_objects(tag: str, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "params.yaml").write_text(f"data: {tag} ['touch {mark}']\n")
    with pytest.raises(UserError) as refused:
        load_value("data", tmp_path / "params.yaml")
    assert "\n" not in str(refused.value)
    assert not mark.exists()
