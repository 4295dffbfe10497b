"""`primus inspect --embeddings`: nearest texts and similarities that follow from the stored vectors, and where they come from."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primus.artifacts import write_table
from primus.embeddings.store import Provenance, write_embeddings
from primus.errors import UserError
from primus.inspection.embeddings_page import DEMO_MODEL, embeddings_page
from primus.inspection.neighbours import check_embeddings
from primus.schema import SEGMENTS
from tests.inspection.conftest import ROOT, primus
from tests.inspection.document import Document

WORDS = ["C opens a tap.", "C <b>kicks</b> the ball.", "C cuts an onion.", "C climbs up.", "C nods."]


def provenance(modality: str, model: str = "ViT-B-32-quickgelu") -> Provenance:
    return Provenance(modality, model, "ab" * 32, "224 pixels", 10.0 if modality == "video" else 0.0, "clip4clip", 8, "p")


def profile(folder: Path, aligned: bool, model: str = "ViT-B-32-quickgelu", videos: int = 40) -> Path:
    """Data of a profile `p`: 40 segments of 8 takes with one of five texts each; videos near their texts where `aligned`, else anywhere."""
    rng = np.random.default_rng(5)
    axes = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    said = rng.integers(0, len(WORDS), 40)
    rows = [
        {
            "segment_id": f"take{k // 5}_{k % 5 * 5000}", "dataset": "d", "take_uid": f"take{k // 5}", "purpose": "pretrain", "policy": "narration",
            "start_s": k % 5 * 5.0, "end_s": k % 5 * 5.0 + 5, "texts": [WORDS[said[k]]], "video_path": "v.mp4",
        }
        for k in range(40)
    ]  # fmt: skip
    data = folder / "data" / "p"
    write_table(data / "segments" / "segments.parquet", pd.DataFrame(rows).reindex(columns=SEGMENTS.names), SEGMENTS)
    text = axes[said]
    video = text + 0.3 * rng.normal(size=text.shape) if aligned else rng.normal(size=text.shape)
    video /= np.linalg.norm(video, axis=1, keepdims=True)
    names = [row["segment_id"] for row in rows]
    for modality, vectors, count in (("video", video, videos), ("text", text, 40)):
        with write_embeddings(data / "embeddings" / f"{modality}.h5", provenance(modality, model)) as writer:
            writer.append(names[:count], {"embedding": vectors[:count]})
    return data


def test_aligned_embeddings_put_own_texts_first(tmp_path: Path) -> None:
    check = check_embeddings(profile(tmp_path, aligned=True), 8, 0)
    assert (check.segments, check.texts, check.similarity.shape) == (40, 5, (8, 8))
    assert len({video.take_uid for video in check.videos}) == 8, "one segment of each take before a second of any"
    assert check.mean_rank < 0.15
    assert sum(video.rank == 1 for video in check.videos) >= 7
    for row, video in enumerate(check.videos):
        assert video.own.cosine == pytest.approx(float(check.similarity[row, row]), abs=1e-5)
        assert [near.cosine for near in video.nearest] == sorted((near.cosine for near in video.nearest), reverse=True)
        assert [near.text for near in video.nearest if near.own] == [video.own.text], "all five texts are listed, its own once"


def test_unrelated_embeddings_are_at_chance(tmp_path: Path) -> None:
    assert check_embeddings(profile(tmp_path, aligned=False), 8, 0).mean_rank == pytest.approx(0.5, abs=0.12)


def test_equal_vectors_share_their_rank(tmp_path: Path) -> None:
    data = profile(tmp_path, aligned=True)
    names = pd.read_parquet(data / "segments" / "segments.parquet")["segment_id"].tolist()
    for modality in ("video", "text"):
        with write_embeddings(data / "embeddings" / f"{modality}.h5", provenance(modality)) as writer:
            writer.append(names, {"embedding": np.tile(np.eye(8)[0], (40, 1))})
    assert check_embeddings(data, 8, 0).mean_rank == pytest.approx(0.5)


def test_the_draw_depends_on_the_seed_only(tmp_path: Path) -> None:
    data = profile(tmp_path, aligned=True)
    drawn = [[video.segment_id for video in check_embeddings(data, 6, seed).videos] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(check_embeddings(data, 64, 0).videos) == 40


@pytest.mark.parametrize("model", ["ViT-B-32-quickgelu", "primus-demo"])
def test_the_page_is_safe_and_states_the_provenance(tmp_path: Path, model: str) -> None:
    page = embeddings_page(check_embeddings(profile(tmp_path, aligned=True, model=model), 8, 0))
    document = Document(page)
    assert document.loads == []
    assert "<b>kicks</b> the ball." in document.words
    for stated in (model, "ab" * 32, "clip4clip", "224 pixels", "10.0"):
        assert stated in document.words
    assert ("random weights" in document.words) == (model == "primus-demo")
    assert 'role="img"' in page
    assert page.count('class="diagonal"') == 8


def test_the_demo_models_name_is_the_encoders() -> None:
    source = (ROOT / "primus" / "embeddings" / "demo_clip.py").read_text()  # importing it would load PyTorch and open_clip for one text
    assert f'NAME = "{DEMO_MODEL}"' in source


def test_without_common_segments_or_space_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no segment of .* has both"):
        check_embeddings(profile(tmp_path / "none", aligned=True, videos=0), 8, 0)
    data = profile(tmp_path / "other", aligned=True)
    with write_embeddings(data / "embeddings" / "video.h5", provenance("video", "ViT-L-14")) as writer:
        writer.append(["take0_0"], {"embedding": np.eye(8)[:1]})
    with pytest.raises(UserError, match="do not belong together"):
        check_embeddings(data, 8, 0)


def test_the_command(tmp_path: Path) -> None:
    profile(tmp_path, aligned=True)
    done = primus(tmp_path, "inspect", "--embeddings", "--data", "data/p", "--out", "page.html", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "ViT-B-32-quickgelu"
    Document((tmp_path / "page.html").read_text())
    refused = primus(tmp_path, "inspect", "--embeddings", "--data", "data/p", "--out", "page.png")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
