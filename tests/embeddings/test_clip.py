"""The encoder's interface: preprocessing as published, batches that do not matter, identities that tell encoders apart."""

import contextlib

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from primus.embeddings.clip import FrozenClip, Preprocessing, single_threaded, state_sha256
from primus.seeds import generator


@pytest.mark.parametrize("shape", [(96, 96), (60, 107), (135, 90), (224, 224), (300, 224), (480, 854)])
@pytest.mark.parametrize("resize", ["shortest", "squash"])
def test_preprocessing_equals_open_clip_with_pillow(shape: tuple[int, int], resize: str) -> None:
    coarse = generator(1, *shape).integers(0, 256, (shape[0] // 6 + 2, shape[1] // 6 + 2, 3)).astype(np.uint8)
    frame = np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC))
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    ours = Preprocessing(224, zero, one, resize=resize).apply(frame).numpy().astype(int)  # type: ignore[arg-type]
    theirs = image_transform_v2(PreprocessCfg(size=224, mean=zero, std=one, resize_mode=resize), is_train=False)(Image.fromarray(frame))
    difference = np.abs(ours - np.round(theirs.numpy() * 255))
    assert ours.shape == (3, 224, 224)
    assert difference.max() <= 2, "rounding of one intermediate value, not another picture"
    assert difference.mean() < 0.01


def test_a_frame_that_fits_is_left_alone_and_not_written_to() -> None:
    frame = generator(2).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    frame.flags.writeable = False
    out = Preprocessing(32, (0.0,) * 3, (1.0,) * 3).apply(frame)
    assert np.array_equal(out.permute(1, 2, 0).numpy(), frame)


def test_truncation_is_seen_exactly_at_the_limit(toy: FrozenClip) -> None:
    texts = ["a" * length for length in (0, 1, 13, 14, 15, 16, 40)]
    assert toy.truncated(texts).tolist() == [len(text) + 2 > toy.context_length for text in texts]


def test_truncation_of_open_clips_tokenizer() -> None:
    tokenizer = open_clip.SimpleTokenizer(context_length=16)
    encoder = FrozenClip(_Ids(), tokenizer, name="ids", preprocessing=Preprocessing(8, (0.0,) * 3, (1.0,) * 3), context_length=16, weights_sha256="")
    texts = ["a tap", " ".join(["cup"] * 14), " ".join(["cup"] * 15), " ".join(["cup"] * 90)]
    assert encoder.truncated(texts).tolist() == [False, False, True, True]


class _Ids(torch.nn.Module):
    def encode_text(self, text: torch.Tensor) -> torch.Tensor:
        return text.float()


def test_text_batches_do_not_matter_to_order(toy: FrozenClip) -> None:
    texts = [f"text {number}" for number in range(11)]
    assert np.array_equal(toy.encode_texts(texts, batch=3), toy.encode_texts(texts))
    assert toy.encode_texts([]).shape == (0, 3)


def test_state_hash_sees_names_shapes_types_and_values() -> None:
    state = {"a": torch.arange(6.0), "b": torch.ones(2)}
    base = state_sha256(state)
    assert base == state_sha256(dict(reversed(state.items())))
    others = [
        {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)},
        {"a": torch.arange(6.0), "c": torch.ones(2)},
        {"a": torch.arange(6), "b": torch.ones(2)},
        {"a": torch.arange(6.0), "b": torch.tensor([1.0, 1.0 + 1e-7])},
    ]
    assert len({base, state_sha256(state, b"more"), *map(state_sha256, others)}) == 6


def test_single_threaded_restores_the_count() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with contextlib.suppress(KeyError), single_threaded():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_images_need_no_text_tower() -> None:
    torch.manual_seed(0)
    vision = {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16}
    text = {"context_length": 16, "vocab_size": 49408, "layers": 1, "width": 32, "heads": 2}
    model = open_clip.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text)
    preprocessing = Preprocessing(32, (0.4,) * 3, (0.3,) * 3)
    tokenizer = open_clip.SimpleTokenizer(context_length=16)
    encoder = FrozenClip(model, tokenizer, name="s", preprocessing=preprocessing, context_length=16, weights_sha256="")
    pixels = torch.from_numpy(generator(4).integers(0, 256, (5, 3, 32, 32)).astype(np.uint8))
    with torch.inference_mode():
        plain = model.encode_image((pixels.float() / 255 - 0.4) / 0.3).numpy()
    before, identity = encoder.encode_images(pixels), encoder.identity
    assert np.array_equal(before, plain), "scaling in place is the same arithmetic"
    encoder.drop_text_tower()
    assert np.array_equal(encoder.encode_images(pixels), before)
    assert encoder.identity == identity
    assert [name for name, child in model.named_children() if child is not None] == ["visual"]
