"""Narrations to text embeddings: cleaned by a stated rule, each distinct text encoded once."""

import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from primus.embeddings.clip import EncoderIdentity, FrozenClip, single_threaded
from primus.work_cache import WorkCache

CLEANING = "tags removed, subject C removed, subject O named"
TEXTS_PER_CHUNK = 512

_TAG = re.compile(r"#[A-Za-z]+\b")
_SUBJECT_C = re.compile(r"(?:(?<=^)|(?<=[.!?] ))(?:C(?:'s)? )+")
_SUBJECT_O = re.compile(r"(?:(?<=^)|(?<=[.!?] ))O(?='s | )")


def clean_text(text: str) -> str:
    """A narration as a caption.

    1. Annotation tags ("#C", "#O", "#Unsure") are removed. 2. "C", the camera wearer, is removed where it stands alone as the subject: at the start
    of the text or of a sentence ("C opens a tap" -> "opens a tap", "C's hand" -> "hand"). 3. "O" there, somebody else, becomes "another person".
    4. White space is collapsed. Nothing else changes: "COVID", "vitamin C" and "O-ring" survive. Cleaning a clean text changes nothing.
    """
    text = " ".join(_TAG.sub(" ", text).split())
    text = _SUBJECT_C.sub("", text)
    return _SUBJECT_O.sub("another person", text).strip()


def chunks(texts: Iterable[str]) -> list[list[str]]:
    """Distinct texts in chunks of about 512 that are encoded and cached together.

    Order and borders follow from the texts' own hashes, so adding a text changes one chunk only, and the same set always gives the same chunks.
    """
    by_hash = sorted((hashlib.sha256(text.encode()).digest(), text) for text in set(texts))
    out: list[list[str]] = [[]]
    for digest, text in by_hash:
        out[-1].append(text)
        if int.from_bytes(digest[-4:], "big") % TEXTS_PER_CHUNK == 0:
            out.append([])
    return [chunk for chunk in out if chunk]


class TextCache:
    """Embeddings of chunks of texts in the work cache, found by the texts, the encoder's identity and the code."""

    def __init__(self, identity: EncoderIdentity) -> None:
        self._cache = WorkCache("texts")
        self._identity = identity

    def key(self, chunk: Sequence[str]) -> str:
        """Key of a chunk."""
        digest = hashlib.sha256("\0".join(chunk).encode()).hexdigest()
        return self._cache.key([digest, str(self._identity)], {}, __name__)

    def load(self, chunk: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
        """Embeddings (n, dim) float16, not normalised, and which texts were cut (n,) bool; or None."""
        found = self._cache.load(self.key(chunk))
        return None if found is None else (found[0]["embedding"], found[0]["truncated"].astype(bool))

    def encode(self, chunk: Sequence[str], encoder: FrozenClip) -> tuple[np.ndarray, np.ndarray]:
        """Encode a chunk and keep the result."""
        with single_threaded():
            embedding = encoder.encode_texts(chunk).astype(np.float16)
        truncated = encoder.truncated(chunk)
        self._cache.store(self.key(chunk), {"embedding": embedding, "truncated": truncated.astype(np.uint8)}, {})
        return embedding, truncated
