"""Stage `embed_text`: frozen text embeddings of the segments, data/<profile>/embeddings/text.h5."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import typer

from primus.artifacts import read_table, write_json
from primus.embeddings.jobs import EncoderChoice, TextJob, embed_chunks
from primus.embeddings.pool import mean_vector
from primus.embeddings.store import DIM_WITHOUT_ENCODER, NOT_LOADED, Provenance, write_embeddings
from primus.embeddings.text import CLEANING, chunks, clean_text
from primus.embeddings.weights import shared_encoder
from primus.errors import UserError
from primus.params import Compute, load, profile_name
from primus.stage import StageLog, progress, stage

ROWS_PER_WRITE = 4096


@stage("embed_text")
def main() -> None:
    """Clean the narrations, encode each distinct text once, pool them per segment, and write the embeddings and the metrics."""
    profile, log = profile_name(), StageLog("embed_text")
    choice = load(EncoderChoice, "embed.encoder")
    segments = read_table(Path("data") / profile / "segments" / "segments.parquet", columns=["segment_id", "texts"])
    cleaned = [tuple(filter(None, map(clean_text, texts))) if texts is not None else () for texts in segments["texts"]]
    identity = shared_encoder(choice.model, choice.weights, choice.device).identity if any(cleaned) else None
    jobs = [TextJob(tuple(chunk), choice, identity) for chunk in chunks(text for texts in cleaned for text in texts)] if identity else []

    row_of: dict[str, int] = {}
    parts: list[np.ndarray] = []
    truncated = 0
    counts: Counter[str] = Counter()
    for outcome in progress(embed_chunks(jobs, load(Compute, "compute").workers), "embed_text", total=len(jobs), unit="chunks"):
        if outcome.value is None:
            raise UserError(f"texts could not be encoded ({outcome.refused}); free memory or set compute.workers lower, then rerun")
        texts, result = outcome.item.texts, outcome.value
        row_of.update(zip(texts, range(len(row_of), len(row_of) + len(texts)), strict=True))
        parts.append(result.embedding)
        truncated += int(result.truncated.sum())
        counts["reused" if result.reused else "encoded"] += len(texts)

    provenance = Provenance(
        modality="text",
        model=choice.model if identity is None else identity.model,
        weights_sha256=NOT_LOADED if identity is None else identity.weights_sha256,
        preprocessing=CLEANING if identity is None else f"{CLEANING}; {identity.context_length} tokens",
        fps=0.0,
        pool="clip4clip",
        dim=DIM_WITHOUT_ENCODER if identity is None else identity.dim,
        corpus=profile,
    )
    table = np.concatenate(parts) if parts else np.empty((0, provenance.dim), np.float16)
    having = [(name, texts) for name, texts in zip(segments["segment_id"], cleaned, strict=True) if texts]
    with write_embeddings(Path("data") / profile / "embeddings" / "text.h5", provenance) as writer:
        for start in range(0, len(having), ROWS_PER_WRITE):
            block = having[start : start + ROWS_PER_WRITE]
            vectors = np.stack([mean_vector(table[[row_of[text] for text in texts]], "clip4clip") for _, texts in block])
            writer.append([name for name, _ in block], {"embedding": vectors})
    said = sum(len(texts) for texts in segments["texts"] if texts is not None)
    metrics: dict[str, Any] = {
        "segments": {"total": len(segments), "with_text": len(having), "without_text": len(segments) - len(having)},
        "texts": {"said": said, "empty": said - sum(map(len, cleaned)), "distinct": len(row_of), "truncated": truncated},
    }
    write_json("metrics/embed_text.json", metrics)
    log.event("texts", encoded=counts["encoded"], reused=counts["reused"], texts_per_s=log.rate(counts.total()), segments=len(having))
    print(f"embed_text: {counts['encoded']} texts encoded, {counts['reused']} reused")


if __name__ == "__main__":
    typer.run(main)
