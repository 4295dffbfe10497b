"""A file says what its embeddings are, and readers that expected others refuse."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from primus.embeddings.store import NOT_LOADED, Provenance, read_embeddings, require_same_space, write_embeddings
from primus.errors import UserError
from primus.keyed_arrays import write_keyed


def provenance(**changes: object) -> Provenance:
    values: dict[str, object] = {
        "modality": "video", "model": "ViT-B-32-quickgelu", "weights_sha256": "ab" * 32, "preprocessing": "rgb", "fps": 10.0, "pool": "clip4clip",
        "dim": 4, "corpus": "demo",
    }  # fmt: skip
    return Provenance(**{**values, **changes})  # type: ignore[arg-type]


def write(path: Path, rows: int = 2, **changes: object) -> Path:
    with write_embeddings(path, provenance(**changes)) as writer:
        writer.append([f"take_{row}" for row in range(rows)], {"embedding": np.full((rows, 4), 0.5)})
    return path


def test_rows_and_provenance_come_back(tmp_path: Path) -> None:
    with read_embeddings(write(tmp_path / "video.h5"), {"pool": "clip4clip", "fps": 10.0}) as found:
        assert found.rows("embedding", ["take_1"]).tolist() == [[0.5] * 4]
        assert found.rows("embedding").dtype == np.float16
        assert found.attrs["weights_sha256"] == "ab" * 32


@pytest.mark.parametrize(("name", "value"), [("pool", "published"), ("fps", 1.0), ("model", "ViT-B-16"), ("weights_sha256", "cd" * 32)])
def test_another_provenance_is_refused_naming_both(tmp_path: Path, name: str, value: object) -> None:
    path = write(tmp_path / "video.h5")
    with pytest.raises(UserError) as refused:
        read_embeddings(path, {name: value})
    message = str(refused.value)
    assert all(part in message for part in (str(path), name, repr(value), repr(getattr(provenance(), name)), "dvc repro"))


def test_a_file_without_provenance_is_refused(tmp_path: Path) -> None:
    write_keyed(tmp_path / "video.h5", ["a"], {"embedding": np.ones((1, 4))}, {"model": "x"})
    with pytest.raises(UserError, match="weights_sha256"):
        read_embeddings(tmp_path / "video.h5")


def test_two_files_of_different_encoders_are_refused(tmp_path: Path) -> None:
    video = read_embeddings(write(tmp_path / "video.h5"))
    require_same_space(video, read_embeddings(write(tmp_path / "text.h5", modality="text", fps=0.0)))
    with pytest.raises(UserError, match=r"video\.h5 and .*other\.h5 do not belong together: model"):
        require_same_space(video, read_embeddings(write(tmp_path / "other.h5", model="ViT-L-14")))
    require_same_space(video, read_embeddings(write(tmp_path / "empty.h5", rows=0, weights_sha256=NOT_LOADED)))


def test_nothing_appears_when_writing_fails(tmp_path: Path) -> None:
    with contextlib.suppress(RuntimeError), write_embeddings(tmp_path / "video.h5", provenance()) as writer:
        writer.append(["a"], {"embedding": np.ones((1, 4))})
        raise RuntimeError
    assert not list(tmp_path.iterdir())
