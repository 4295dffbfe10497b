"""The check of the frozen embeddings as one self-contained HTML page."""

from typing import Any

from primus.inspection.neighbours import RANKED, EmbeddingCheck, VideoNeighbours
from primus.reporting.html import escape, page, paragraph, section, table
from primus.reporting.svg import element, figure, label

DEMO_MODEL = "primus-demo"
"""The demo's encoder (`primus.embeddings.demo_clip.NAME`, whose module imports PyTorch)."""

STYLE = """
.near{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:.4rem 2rem}
.near th,.near td{text-align:left;vertical-align:top}
.near td:last-child{white-space:normal;min-width:14rem}
.near caption{color:var(--ink);font-weight:600}
.own{outline:2px solid var(--ink-orange);outline-offset:-2px}
:root{--ink-orange:#C24A00}
@media (prefers-color-scheme:dark){:root{--ink-orange:#FF8A4D}}
.diagonal{fill:none;stroke:var(--ink-orange);stroke-width:2.5}
.wide th,.wide td{text-align:left;white-space:normal;overflow-wrap:anywhere}
"""


def embeddings_page(check: EmbeddingCheck) -> str:
    """The HTML document; texts are escaped."""
    parts = [paragraph(words, banner=True) for words in _warnings(check)]
    parts.append(paragraph(_summary(check)))
    drawn = section("Similarity of videos and texts", paragraph(_matrix_words(check)), _matrix(check))
    listed = "".join(_nearest(number, video, check.texts) for number, video in enumerate(check.videos, 1))
    parts += [drawn, section("Nearest texts", f'<div class="near">{listed}</div>'), _provenance(check)]
    return page(f"Frozen embeddings: {check.profile}", *parts, style=STYLE)


def _warnings(check: EmbeddingCheck) -> list[str]:
    if check.provenance["video"]["model"] != DEMO_MODEL:
        return []
    words = f"These embeddings come from {DEMO_MODEL}, an encoder with random weights. It is expected to show no meaning: own texts land anywhere "
    return [words + "in the order. Only a trained CLIP can put them first."]


def _summary(check: EmbeddingCheck) -> str:
    return (
        f"{len(check.videos)} of the {check.segments} segments with a video and a text embedding, compared with {check.texts} distinct texts. "
        f"Over all of them ({RANKED} at most) a segment's own text comes after {100 * check.mean_rank:.0f} % of the texts on average: "
        "50 % is chance, near 0 % is best. Narrations are shown as they were cleaned for the encoder."
    )


def _matrix_words(check: EmbeddingCheck) -> str:
    low, high = float(check.similarity.min()), float(check.similarity.max())
    return (
        f"Row: a segment's video; column: a segment's text; the darker, the closer (cosines from {low:.3f} to {high:.3f}). A frame marks a "
        "segment's own text: embeddings that carry meaning are darkest there."
    )


def _matrix(check: EmbeddingCheck) -> str:
    count = len(check.videos)
    cell, left, top = (34 if count <= 16 else 20), 34, 30
    low, high = float(check.similarity.min()), float(check.similarity.max())
    parts: list[str] = []
    for row, video in enumerate(check.videos):
        parts.append(label(left - 6, top + cell * (row + 0.5) + 4, f"v{row + 1}", text_anchor="end", class_="tick"))
        parts.append(label(left + cell * (row + 0.5), top - 8, f"t{row + 1}", text_anchor="middle", class_="tick"))
        for column, other in enumerate(check.videos):
            cosine = float(check.similarity[row, column])
            share = (cosine - low) / (high - low) if high > low else 0.5
            words = element("title", escape(f'cosine {cosine:.3f}: video of {video.segment_id}, text "{other.own.text}"', quote=False))
            box: dict[str, Any] = {"x": left + cell * column + 1.0, "y": top + cell * row + 1.0, "width": cell - 2, "height": cell - 2}
            parts.append(element("rect", words, fill="var(--ink-blue)", fill_opacity=0.04 + 0.96 * share, **box))
            if count <= 16:
                look = {"text_anchor": "middle", "class_": "over" if share > 0.62 else "tick", "style": "font-size:10px"}
                parts.append(label(box["x"] + cell / 2 - 1, box["y"] + cell / 2 + 3, f"{round(cosine, 2) + 0.0:.2f}", **look))
            if row == column:
                parts.append(element("rect", class_="diagonal", **box))
    size = left + cell * count + 6
    higher = sum(int(check.similarity[row].argmax() == row) for row in range(count))
    description = f"{count} videos by their {count} texts, cosines from {low:.3f} to {high:.3f}; {higher} videos are closest to their own text"
    return figure(size, top + cell * count + 6, "Similarity of videos and texts", description, "".join(parts))


def _nearest(number: int, video: VideoNeighbours, texts: int) -> str:
    rows = [[f"{place}", f"{near.cosine:.3f}", ("own: " if near.own else "") + near.text] for place, near in enumerate(video.nearest, 1)]
    if not any(near.own for near in video.nearest):
        rows.append([f"{video.rank:g}", f"{video.own.cosine:.3f}", f"own: {video.own.text}"])
    caption = f"v{number}: {video.take_uid}, {video.start_s:.3f} to {video.end_s:.3f} s (own text at place {video.rank:g} of {texts})"
    return table(caption, ["place", "cosine", "text"], rows)


def _provenance(check: EmbeddingCheck) -> str:
    names = sorted({name for attributes in check.provenance.values() for name in attributes})
    rows = [[name, *(str(check.provenance[kind].get(name, "")) for kind in ("video", "text"))] for name in names]
    return section("Where they come from", f'<div class="wide">{table("As stored with the embeddings.", ["", "video.h5", "text.h5"], rows)}</div>')
