"""The two stages: files, counts, bytes that depend on nothing but data and parameters, and reuse of every frame."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from primus.artifacts import write_table
from primus.embeddings.store import NOT_LOADED, read_embeddings, require_same_space
from primus.schema import SEGMENTS
from tests.embeddings.conftest import Clip

LEVELS = [20 + 4 * (number % 50) for number in range(240)]


def params(workers: int = 1, **embed: Any) -> dict[str, Any]:
    encoder = {"model": "primus-demo", "weights": "fixed-random", "device": "cpu"}
    return {
        "data": "t",
        "preset": "ours",
        "compute": {"threads": 2, "workers": workers},
        "embed": {"encoder": encoder, "video": {"fps": 5, "pool": "clip4clip"}, **embed},
        "profiles": {"t": {"datasets": {"set": {"reader": "egoexo4d", "root": "$PRIMUS_TEST_ROOT/videos"}}}},
        "presets": {"ours": {}},
    }


def segment_rows(take: str, video: str | None, starts: list[float], texts: list[list[str]]) -> list[dict[str, Any]]:
    return [
        {
            "segment_id": f"{take}_{round(start * 1000)}", "dataset": "set", "take_uid": take, "purpose": "pretrain", "policy": "narration",
            "start_s": start, "end_s": start + 5, "texts": said, "video_path": video,
        }
        for start, said in zip(starts, texts, strict=True)
    ]  # fmt: skip


SAID = ["C opens a tap.", "#C C opens a tap.", "O kicks the ball.", "#C", "cuts " * 60]


@pytest.fixture
def workspace(tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stage's working folder: three videos (one unreadable), one take without a video, one whose file is gone."""
    for name, levels in (("one", LEVELS), ("two", LEVELS[::-1])):
        clip(f"videos/{name}.mp4", levels, size=96)
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"nothing")
    rows = [
        *segment_rows("one", "one.mp4", [0, 1.5, 20], [SAID[:1], SAID[:3], []]),
        *segment_rows("two", "two.mp4", [0.25], [SAID[3:4]]),
        *segment_rows("bad", "bad.mp4", [0], [SAID[4:]]),
        *segment_rows("gone", "gone.mp4", [0], [SAID[:1]]),
        *segment_rows("dark", None, [0, 5], [SAID[:2], []]),
    ]
    table = pd.DataFrame(rows).reindex(columns=SEGMENTS.names)
    write_table(tmp_path / "work" / "data" / "t" / "segments" / "segments.parquet", table, SEGMENTS)
    monkeypatch.setenv("PRIMUS_TEST_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def run(stage: str, settings: dict[str, Any]) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    runpy.run_module(f"stages.{stage}", run_name=f"stages.{stage}")["main"]()


def test_video(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("primus.embeddings.jobs.WORTH_WORKERS", 0)
    run("embed_video", params(workers=2))
    monkeypatch.setattr("primus.embeddings.jobs.WORTH_WORKERS", 2000)
    path = Path("data/t/embeddings/video.h5")
    with read_embeddings(path, {"modality": "video", "model": "primus-demo", "fps": 5.0, "pool": "clip4clip", "corpus": "t"}) as found:
        assert found.keys.tolist() == ["one_0", "one_1500", "two_250"]
        rows = found.rows("embedding").astype(np.float32)
        assert rows.shape == (3, 512)
        assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-3
    metrics = json.loads(Path("metrics/embed_video.json").read_text())
    assert metrics == {
        "segments": {"total": 8, "with_video": 3, "without_video": 2, "lost": 3},
        "videos": {"total": 4, "unreadable": 2, "broken_off": 0, "crashed": 0},
        "frames": {"encoded": 80, "used": 58, "plain": 75},
    }
    said = capsys.readouterr().out
    assert "80 frames encoded, 0 reused" in said
    assert "WARNING: 2 of 4 videos lack frames or all of them, the first " in said
    assert not [name for name in path.parent.iterdir() if name != path], "nothing half written stays behind"
    first, counted = path.read_bytes(), Path("metrics/embed_video.json").read_bytes()

    run("embed_video", params())
    assert "0 frames encoded, 80 reused" in capsys.readouterr().out
    assert (path.read_bytes(), Path("metrics/embed_video.json").read_bytes()) == (first, counted), "what was cached leaves no trace"

    run("embed_video", params(video={"fps": 5, "pool": "published"}))
    assert "0 frames encoded, 80 reused" in capsys.readouterr().out
    assert path.read_bytes() != first

    monkeypatch.setenv("PRIMUS_CACHE", str(tmp_path / "another cache"))
    run("embed_video", params())
    assert "80 frames encoded, 0 reused" in capsys.readouterr().out
    assert path.read_bytes() == first, "neither workers nor the cache change a byte"


def test_text(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("embed_text", params(workers=2))
    with read_embeddings("data/t/embeddings/text.h5", {"modality": "text", "pool": "clip4clip"}) as found:
        assert found.keys.tolist() == ["one_0", "one_1500", "bad_0", "gone_0", "dark_0"]
        rows = dict(zip(found.keys, found.rows("embedding").astype(np.float32), strict=True))
    assert np.array_equal(rows["one_0"], rows["gone_0"])
    assert np.array_equal(rows["one_0"], rows["dark_0"]), "two ways to write the same narration"
    assert 0.3 < rows["one_0"] @ rows["one_1500"] < 0.999, "two of its three texts are the same"
    assert json.loads(Path("metrics/embed_text.json").read_text()) == {
        "segments": {"total": 8, "with_text": 5, "without_text": 3},
        "texts": {"said": 9, "empty": 1, "distinct": 3, "truncated": 1},
    }
    assert "3 texts encoded, 0 reused" in capsys.readouterr().out
    first = Path("data/t/embeddings/text.h5").read_bytes()
    run("embed_text", params())
    assert "0 texts encoded, 3 reused" in capsys.readouterr().out
    assert Path("data/t/embeddings/text.h5").read_bytes() == first


def test_a_profile_without_video_or_text_needs_no_encoder(workspace: Path) -> None:
    table = pd.DataFrame(segment_rows("dark", None, [0, 5], [[], []])).reindex(columns=SEGMENTS.names)
    write_table(Path("data/t/segments/segments.parquet"), table, SEGMENTS)
    settings = params(encoder={"model": "ViT-B-32-quickgelu", "weights": "$NO_SUCH_VARIABLE", "device": "cpu"})
    for stage in ("embed_video", "embed_text"):
        run(stage, settings)
    video, text = (read_embeddings(f"data/t/embeddings/{name}.h5", {"weights_sha256": NOT_LOADED}) for name in ("video", "text"))
    assert len(video) == len(text) == 0
    assert video.memmap("embedding").shape == (0, 512)
    require_same_space(video, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": {"model": "ViT-B-32-quickgelu", "weights": "$NO_SUCH_VARIABLE", "device": "cpu"}}, "NO_SUCH_VARIABLE is not set"),
        ({"video": {"fps": 0, "pool": "clip4clip"}}, "embed.video.fps must lie in"),
        ({"video": {"fps": 5, "pool": "mean"}}, "embed.video.pool"),
        ({"video": {"fps": 5, "pol": "published"}}, "unknown key embed.video.pol; did you mean 'pool'"),
    ],
)
def test_mistakes_are_one_line(workspace: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("embed_video", params(**change))
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 1
    assert message in said
    assert "Traceback" not in said
    assert not Path("data/t/embeddings/video.h5").exists()


def test_a_run_without_a_single_readable_video_fails(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tmp_path / "videos")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "one.mp4").write_bytes(b"nothing")
    with pytest.raises(SystemExit):
        run("embed_video", params())
    assert "none of the 4 videos could be read" in capsys.readouterr().err
    assert not Path("data/t/embeddings/video.h5").exists()
