"""The cleaning rule, chunks that stay put when texts are added, and texts encoded once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primus.embeddings.clip import FrozenClip
from primus.embeddings.jobs import EncoderChoice, TextJob, embed_chunks
from primus.embeddings.text import TextCache, chunks, clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("C opens a tap with her right hand.", "opens a tap with her right hand."),
        ("#C C looks around", "looks around"),
        ("#C C walks #Unsure", "walks"),
        ("#O A man X talks", "A man X talks"),
        ("O hands the cup to C.", "another person hands the cup to C."),
        ("O's hand moves", "another person's hand moves"),
        ("C's left hand holds a cup", "left hand holds a cup"),
        ("C picks a bolt. C turns it.", "picks a bolt. turns it."),
        ("Takes a COVID test", "Takes a COVID test"),
        ("COVID test", "COVID test"),
        ("C reads about vitamin C", "reads about vitamin C"),
        ("The O-ring is greased", "The O-ring is greased"),
        ("O-ring", "O-ring"),
        ("Cuts bread", "Cuts bread"),
        ("  C   cuts\n bread ", "cuts bread"),
        ("C C cuts", "cuts"),
        ("C", "C"),
        ("#C", ""),
        ("", ""),
    ],
)
def test_cleaning_rule(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


WORDS = ["C", "O", "#C", "#O", "#Unsure", "C's", "O's", "cuts", "COVID", ".", "!", " ", ". ", "C.", "a"]


@given(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join) | st.text(max_size=40))
def test_cleaning_a_clean_text_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


@given(st.sets(st.text(max_size=12), max_size=60))
def test_chunks_hold_every_text_once(texts: set[str]) -> None:
    found = chunks([*texts, *texts])
    assert sorted(text for chunk in found for text in chunk) == sorted(texts)
    assert all(found)


def test_adding_a_text_touches_one_chunk() -> None:
    texts = [f"narration number {number}" for number in range(6000)]
    before = {tuple(chunk) for chunk in chunks(texts)}
    assert len(before) > 4
    for extra in ("one more", "and another", "a third"):
        after = {tuple(chunk) for chunk in chunks([*texts, extra])}
        assert len(before - after) <= 1
        assert len(after - before) <= 2
    assert chunks(reversed(texts)) == chunks(texts)


def test_texts_are_encoded_once(toy: FrozenClip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primus.embeddings.weights.shared_encoder", lambda *_: toy)
    job = TextJob(("opens a tap", "x" * 40), EncoderChoice("toy", "none", "cpu"), toy.identity)
    (first,) = (outcome.value for outcome in embed_chunks([job], workers=1))
    encoded = toy._model.texts  # type: ignore[attr-defined]
    (again,) = (outcome.value for outcome in embed_chunks([job], workers=1))
    assert first is not None
    assert again is not None
    assert (first.reused, again.reused) == (False, True)
    assert toy._model.texts == encoded, "nothing was encoded the second time"  # type: ignore[attr-defined]
    assert np.array_equal(first.embedding, again.embedding)
    assert first.truncated.tolist() == again.truncated.tolist() == [False, True]
    assert first.embedding.dtype == np.float16


def test_cache_keys_separate_texts_that_join_alike(toy: FrozenClip) -> None:
    cache = TextCache(toy.identity)
    assert len({cache.key(["ab", "c"]), cache.key(["a", "bc"]), cache.key(["abc"])}) == 3
