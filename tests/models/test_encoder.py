"""The encoder against the published values, its options, and what it can and cannot see."""

from pathlib import Path

import pytest
import torch

from primus.models.encoder import MIN_SAMPLES, ImuEncoder
from tests.golden_values import golden_encoder, load_golden


def parameters(encoder: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in encoder.parameters())


def test_outputs_equal_the_published_encoder(shared_dir: Path) -> None:
    golden = load_golden(shared_dir)
    output = golden_encoder(golden)(golden["x"])
    for found, name in zip(output, ("out_emb", "out_ssl", "out_mmcl"), strict=True):
        assert (found - golden[name]).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", ["channels", "time"])
@pytest.mark.parametrize("input_norm", ["published", "fixed"])
def test_options_change_neither_parameters_nor_names(layout: str, input_norm: str) -> None:
    both = ImuEncoder(layout=layout, input_norm=input_norm)  # type: ignore[arg-type]
    assert parameters(both) == 1_376_204
    assert parameters(ImuEncoder(layout=layout, input_norm=input_norm, heads=False)) == 850_892  # type: ignore[arg-type]
    assert list(both.state_dict()) == [
        "backbone.0.weight", "backbone.0.bias", "backbone.1.net.0.weight", "backbone.2.net.0.weight", "backbone.3.net.0.weight",
        "backbone.4.weight", "backbone.4.bias", "backbone.5.weight_ih_l0", "backbone.5.weight_hh_l0", "backbone.5.bias_ih_l0",
        "backbone.5.bias_hh_l0", "ssl_head.weight", "ssl_head.bias", "mmcl_head.weight", "mmcl_head.bias",
    ]  # fmt: skip


def test_layouts_are_two_different_networks() -> None:
    torch.manual_seed(0)
    channels = ImuEncoder()
    time = ImuEncoder(layout="time")
    time.load_state_dict(channels.state_dict())
    x = torch.randn(4, 6, 250)
    assert not torch.allclose(channels(x).feature, time(x).feature, atol=1e-3)


def test_mlp_head_has_a_hidden_layer_and_projection_width_is_free() -> None:
    encoder = ImuEncoder(head="mlp", feature_dim=64, projection_dim=32)
    output = encoder(torch.randn(3, 6, 250))
    assert (output.feature.shape, output.multimodal.shape) == ((3, 64), (3, 32))
    assert encoder.mmcl_head[0].weight.shape == (64, 64)


def test_windows_of_another_type_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"windows are torch.float64, the encoder's weights torch.float32; convert one"):
        ImuEncoder()(torch.randn(2, 6, 250, dtype=torch.float64))
    assert ImuEncoder().double()(torch.randn(2, 6, 250, dtype=torch.float64)).feature.dtype == torch.float64


def test_only_the_fixed_input_norm_sees_intensity() -> None:
    """Ten times stronger accelerometer: invisible to the published normalisation, visible to physical constants."""
    torch.manual_seed(1)
    x = torch.randn(8, 6, 250)
    stronger = torch.cat([10 * x[:, :3], x[:, 3:]], dim=1)
    change = {}
    for norm in ("published", "fixed"):
        encoder = ImuEncoder(input_norm=norm)  # type: ignore[arg-type]
        with torch.no_grad():
            change[norm] = (encoder(x).feature - encoder(stronger).feature).abs().max().item()
    assert change["published"] < 1e-4
    assert change["fixed"] > 100 * change["published"]


def test_fixed_norm_tells_stillness_from_running() -> None:
    torch.manual_seed(2)
    gravity = torch.tensor([0.0, 0.0, 9.81, 0, 0, 0])[None, :, None]
    motion = torch.randn(1, 6, 250) * torch.tensor([3.0, 3, 3, 1, 1, 1])[None, :, None]
    still, running = gravity + 0.01 * motion, gravity + motion
    encoder = ImuEncoder(input_norm="fixed")
    with torch.no_grad():
        difference = (encoder(still).feature - encoder(running).feature).norm() / encoder(running).feature.norm()
    assert difference > 0.1


@pytest.mark.parametrize("samples", [MIN_SAMPLES, 200, 250, 251, 500])
def test_any_length_from_the_shortest_on(samples: int) -> None:
    assert ImuEncoder(feature_dim=16, heads=False)(torch.randn(2, 6, samples)).feature.shape == (2, 16)


@pytest.mark.parametrize("shape", [(2, 6, MIN_SAMPLES - 1), (2, 250, 6), (6, 250), (2, 3, 250)])
def test_wrong_shapes_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"windows must be \(B, 6, T\)"):
        ImuEncoder(feature_dim=16)(torch.randn(shape))


@pytest.mark.parametrize(
    "options", [{"layout": "rows"}, {"input_norm": "none"}, {"head": "conv"}, {"feature_dim": 0}, {"feature_dim": 512.0}, {"projection_dim": True}]
)
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        ImuEncoder(**options)  # type: ignore[arg-type]
