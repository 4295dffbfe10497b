"""Do the frozen embeddings make sense? For a few segments' videos, the texts nearest to them, and how their own texts fare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primus.artifacts import read_table
from primus.embeddings.store import ARRAY, read_embeddings, require_same_space
from primus.embeddings.text import clean_text
from primus.errors import UserError
from primus.seeds import generator

NEAREST = 5
"""Texts listed for each video."""

RANKED = 2000
"""Segments over which the mean rank is taken."""

_CELLS = 1 << 22


@dataclass(frozen=True)
class Nearby:
    """One text near a video: what it says, its cosine with the video, and whether it is what was said in that very segment."""

    text: str
    cosine: float
    own: bool


@dataclass(frozen=True)
class VideoNeighbours:
    """One segment's video among the distinct texts.

    Attributes:
        segment_id, take_uid: of the segment.
        start_s, end_s: its interval, seconds from take start.
        own: its own text with its cosine.
        rank: place of its own text among all distinct texts, 1 being the nearest; equal cosines count half.
        nearest: the nearest texts in order.
    """

    segment_id: str
    take_uid: str
    start_s: float
    end_s: float
    own: Nearby
    rank: float
    nearest: tuple[Nearby, ...]


@dataclass(frozen=True)
class EmbeddingCheck:
    """The whole check.

    Attributes:
        profile: whose embeddings.
        videos: of the segments drawn, in the table's order.
        similarity: (n, n) cosines, video of segment i (row) by text of segment j (column).
        texts: number of distinct texts that the videos were compared with.
        segments: number of segments with both a video and a text embedding, from which `videos` were drawn.
        mean_rank: mean over those segments (`RANKED` at most) of the own text's rank, as a share of `texts`: 0.5 is chance, near 0 is best.
        provenance: attributes of video.h5 and of text.h5.
    """

    profile: str
    videos: tuple[VideoNeighbours, ...]
    similarity: NDArray[np.float32]
    texts: int
    segments: int
    mean_rank: float
    provenance: Mapping[str, Mapping[str, Any]]

    @property
    def facts(self) -> dict[str, Any]:
        """The check in numbers, for the terminal."""
        source = self.provenance["video"]
        first = sum(video.rank <= 1 for video in self.videos)
        return {
            "profile": self.profile,
            "model": source["model"],
            "weights_sha256": source["weights_sha256"],
            "segments_with_both": self.segments,
            "distinct_texts": self.texts,
            "own_text_mean_rank_share": round(self.mean_rank, 4),
            "own_text_nearest": f"{first} of {len(self.videos)} drawn",
        }


def check_embeddings(folder: Path, count: int, seed: int) -> EmbeddingCheck:
    """Draw `count` segments of a profile with both embeddings, from as many takes as there are, and list the texts nearest to each one's video.

    Args:
        folder: the profile's data, data/<profile>.
        count: segments drawn; fewer where there are fewer.
        seed: of the draw.

    Raises:
        UserError: the profile has no embeddings, they are of different encoders, or no segment has both.
    """
    segments = read_table(folder / "segments" / "segments.parquet", columns=["segment_id", "take_uid", "start_s", "end_s", "texts"])
    with (
        read_embeddings(folder / "embeddings" / "video.h5") as video,
        read_embeddings(folder / "embeddings" / "text.h5") as text,
    ):
        require_same_space(video, text)
        both = segments[[key in video and key in text for key in segments["segment_id"]]].reset_index(drop=True)
        if both.empty:
            raise UserError(
                f"no segment of {folder} has both a video and a text embedding ({len(video)} have a video's, {len(text)} a text's); "
                "the check needs narrated videos"
            )
        both["words"] = [" / ".join(filter(None, map(clean_text, texts))) for texts in both["texts"]]
        chosen = _draw(both, count, seed)
        ranked = np.sort(generator(seed, "inspect", "rank").permutation(len(both))[:RANKED])
        distinct = both.drop_duplicates("words").reset_index(drop=True)
        column = {words: number for number, words in enumerate(distinct["words"])}
        pool = _unit(text.rows(ARRAY, distinct["segment_id"].tolist()))
        shown = _unit(video.rows(ARRAY, both["segment_id"].iloc[chosen].tolist()))
        own = np.array([column[words] for words in both["words"].iloc[chosen]])
        cosines = shown @ pool.T
        rank_videos = _unit(video.rows(ARRAY, both["segment_id"].iloc[ranked].tolist()))
        rank_own = np.array([column[words] for words in both["words"].iloc[ranked]])
        ranks = _ranks(rank_videos, pool, rank_own)
        provenance = {"video": dict(video.attrs), "text": dict(text.attrs)}
    videos = []
    for row, place in enumerate(chosen):
        order = np.argsort(-cosines[row], kind="stable")[:NEAREST]
        near = tuple(Nearby(str(distinct["words"].iloc[j]), float(cosines[row, j]), bool(j == own[row])) for j in order)
        found = both.iloc[place]
        mine = Nearby(str(found["words"]), float(cosines[row, own[row]]), own=True)
        rank = float(_rank(cosines[row], own[row]))
        videos.append(VideoNeighbours(found["segment_id"], found["take_uid"], found["start_s"], found["end_s"], mine, rank, near))
    return EmbeddingCheck(
        profile=folder.name,
        videos=tuple(videos),
        similarity=cosines[:, own].astype(np.float32),
        texts=len(distinct),
        segments=len(both),
        mean_rank=float(((ranks - 0.5) / len(distinct)).mean()),
        provenance=provenance,
    )


def _draw(both: pd.DataFrame, count: int, seed: int) -> list[int]:
    """Rows of `both`, ordered: takes in turn, so that near-identical neighbours in time come last."""
    rng = generator(seed, "inspect", "segments")
    shuffled = rng.permutation(len(both))
    turn = both.iloc[shuffled].groupby("take_uid", sort=False).cumcount().to_numpy()
    return sorted(shuffled[np.argsort(turn, kind="stable")][:count].tolist())


def _rank(cosines: NDArray[np.float32], own: int) -> float:
    mine = cosines[own]
    return 1.0 + float((cosines > mine).sum()) + 0.5 * float((cosines == mine).sum() - 1)


def _ranks(videos: NDArray[np.float32], pool: NDArray[np.float32], own: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank of the own text of each video (n, D) among the pool (M, D), in blocks that bound the memory."""
    step = max(1, _CELLS // len(pool))
    ranks = []
    for start in range(0, len(videos), step):
        block = videos[start : start + step] @ pool.T
        ranks += [_rank(row, int(mine)) for row, mine in zip(block, own[start : start + step], strict=True)]
    return np.array(ranks)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    vectors = vectors.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
