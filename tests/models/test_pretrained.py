"""Folders of encoders: a round trip keeps everything, and anything else is refused with one clear line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from primus.errors import UserError
from primus.models.encoder import ImuEncoder, InputContract


@pytest.mark.parametrize(
    "options", [{}, {"layout": "time", "input_norm": "fixed"}, {"heads": False}, {"head": "mlp", "feature_dim": 64, "projection_dim": 32}]
)
def test_round_trip(tmp_path: Path, options: dict[str, object]) -> None:
    torch.manual_seed(0)
    encoder = ImuEncoder(**options, inputs=InputContract(rate_hz=100.0, window_s=2.5)).eval()  # type: ignore[arg-type]
    encoder.save_pretrained(tmp_path / "model", method="primus", seed=3)
    again = ImuEncoder.from_pretrained(tmp_path / "model")
    x = torch.randn(2, 6, 250)
    with torch.no_grad():
        for found, expected in zip(again(x), encoder(x), strict=True):
            assert (found is None and expected is None) or torch.equal(found, expected)
    assert again.options() == encoder.options()
    assert again.inputs.samples == 250
    assert again.metadata == {"method": "primus", "seed": 3}
    assert not again.training
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (tmp_path / "model" / "model.safetensors").stat().st_size <= 6e6
    assert json.loads((tmp_path / "model" / "config.json").read_text())["input"]["accel_unit"] == "m/s^2"


def edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return apply


def nan_weights(folder: Path) -> None:
    state = ImuEncoder(feature_dim=8, projection_dim=8).state_dict()
    state["backbone.5.weight_hh_l0"][0, 0] = float("nan")
    save_file(state, folder / "model.safetensors")


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("no config", lambda folder: (folder / "config.json").unlink(), "config.json does not exist"),
    ("no weights", lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors does not exist"),
    ("not json", lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
    ("no mapping", lambda folder: (folder / "config.json").write_text("[]"), "not an encoder of this project"),
    ("long", edit(lambda config: config["input"].update({"x" * 70_000: 1})), "unexpected keyword"),
    ("deep", lambda folder: (folder / "config.json").write_text("[" * 100_000), "not valid JSON"),
    ("digits", lambda folder: (folder / "config.json").write_text("9" * 5000), "not valid JSON"),
    ("folder", lambda folder: ((folder / "model.safetensors").unlink(), (folder / "model.safetensors").mkdir()), "not a readable safetensors"),
    ("truncated", lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 20), "not a readable safetensors"),
    ("other format", edit(lambda config: config.update(format=9)), "format is 9"),
    ("unknown option", edit(lambda config: config["model"].update(depth=3)), "depth"),
    ("wrong value", edit(lambda config: config["model"].update(layout="rows")), "layout must be"),
    ("other width", edit(lambda config: config["model"].update(feature_dim=60000)), "asks for"),
    ("unknown input", edit(lambda config: config["input"].update(colour=1)), "colour"),
    ("other unit", edit(lambda config: config["input"].update(accel_unit="furlong")), "input.accel_unit must be m/s.2 or g, found 'furlong'"),
    ("other layout", edit(lambda config: config["input"].update(layout="channels_last")), "input.layout must be channels_first"),
    ("no gravity", edit(lambda config: config["input"].update(gravity=False)), "input.gravity must be True"),
    ("three axes", edit(lambda config: config["input"].update(channels=["accel_x", "accel_y", "accel_z"])), "input.channels must be accel_x"),
    ("no rate", edit(lambda config: config["input"].update(rate_hz=0)), "input.rate_hz must be a positive number"),
    ("too short a window", edit(lambda config: config["input"].update(window_s=1.0)), "at least 123 samples, found 50"),
    ("not finite", nan_weights, "not finite"),
]


@pytest.mark.parametrize(("break_it", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_folders_are_refused(tmp_path: Path, break_it: Callable[[Path], object], message: str) -> None:
    ImuEncoder(feature_dim=8, projection_dim=8).save_pretrained(tmp_path)
    break_it(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        ImuEncoder.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_contract_is_assumed_to_be_as_published_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ImuEncoder(feature_dim=8, projection_dim=8, inputs=InputContract(rate_hz=100, window_s=2.5)).save_pretrained(tmp_path)
    edit(lambda config: config["input"].pop("gravity"))(tmp_path)
    assert ImuEncoder.from_pretrained(tmp_path).inputs == InputContract(rate_hz=100, window_s=2.5)
    assert "states no gravity of its input; assumed: gravity True" in caplog.text
    edit(lambda config: config.pop("input"))(tmp_path)
    assert ImuEncoder.from_pretrained(tmp_path).inputs == InputContract()
    assert "rate_hz 50.0" in caplog.text


def test_unknown_options_of_the_hub_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown option proxy"):
        ImuEncoder.from_pretrained(tmp_path, proxy="x")


def test_neither_folder_nor_hub_id(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give a folder"):
        ImuEncoder.from_pretrained(tmp_path / "absent")
    (tmp_path / "x.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        ImuEncoder.from_pretrained(tmp_path / "x.ckpt")
