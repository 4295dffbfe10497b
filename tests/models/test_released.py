"""The authors' Lightning file: read without executing anything, and everything that is not one is refused."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import primus
from primus.commands.weights import import_checkpoint
from primus.errors import UserError
from primus.models.encoder import ImuEncoder
from primus.models.weights import load_released_checkpoint


def lightning(encoder: ImuEncoder, rename: Callable[[str], str] = lambda name: name) -> dict[str, Any]:
    state = {f"imu_encoder.{rename(name)}": value for name, value in encoder.state_dict().items()}
    state |= {"text_encoder.weight": torch.zeros(3), "video_encoder.weight": torch.zeros(3)}
    state |= {"mmcl_loss.temperature": torch.tensor(0.1), "ssl_loss.temperature": torch.tensor(0.1)}
    numbers = {"best": np.float64(0.5), "epoch": np.int64(3), "flag": np.bool_(True), "loss": np.float32(1)}
    return {"state_dict": state, "epoch": 3, "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}], "callbacks": numbers}


def test_two_headed_file(tmp_path: Path) -> None:
    encoder = ImuEncoder().eval()
    torch.save(lightning(encoder), tmp_path / "released.ckpt")
    loaded = primus.load_released_checkpoint(tmp_path / "released.ckpt")
    x = torch.randn(2, 6, 250)
    with torch.no_grad():
        assert all(torch.equal(left, right) for left, right in zip(loaded(x), encoder(x), strict=True))
    assert not loaded.training
    os.remove(tmp_path / "released.ckpt")
    loaded(x)  # nothing stays mapped to the file


def test_scalars_pickled_by_numpy_1(tmp_path: Path) -> None:
    encoder = ImuEncoder()
    torch.save(lightning(encoder), tmp_path / "new.ckpt")
    with zipfile.ZipFile(tmp_path / "new.ckpt") as archive, zipfile.ZipFile(tmp_path / "old.ckpt", "w") as old:
        for info in archive.infolist():
            old.writestr(info.filename, archive.read(info).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    loaded = load_released_checkpoint(tmp_path / "old.ckpt")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in encoder.state_dict().items())


def test_single_headed_variant(tmp_path: Path) -> None:
    encoder = ImuEncoder(heads=False).eval()
    torch.save(lightning(encoder, lambda name: name.replace("backbone.", "net.")), tmp_path / "released.ckpt")
    loaded = load_released_checkpoint(tmp_path / "released.ckpt")
    assert loaded.ssl_head is None
    x = torch.randn(2, 6, 250)
    assert torch.equal(loaded(x).feature, encoder(x).feature)


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def altered(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = lightning(ImuEncoder())
        change(content)
        torch.save(content, path)

    return write


def huge_view(path: Path) -> None:
    """A tensor whose claimed size is far beyond its storage: must not be allocated."""
    torch.save({"state_dict": {"imu_encoder.a": torch.zeros(4)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"K\x04\x85", b"\x8a\x05" + (2 * 10**10).to_bytes(5, "little") + b"\x85"))


def flipped(path: Path) -> None:
    """One bit of one weight: finite, of the right shape, and not what was published."""
    torch.save(lightning(ImuEncoder()), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def no_text(path: Path) -> None:
    """A member's name in the archive's directory that is no UTF-8, though it says so."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\u00e9.pkl", b"")
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xff"))


def compressed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 1000)


BAD: list[tuple[str, Callable[[Path], object], str]] = [
    ("absent", lambda path: None, "does not exist"),
    ("empty", lambda path: path.write_bytes(b""), "not a PyTorch checkpoint"),
    ("folder", lambda path: path.mkdir(), "is a folder"),
    ("text", lambda path: path.write_text("hello"), "not a PyTorch checkpoint"),
    ("plain zip", lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "x"), "not a readable PyTorch checkpoint"),
    ("compressed", compressed, "compressed members"),
    ("code", altered(lambda content: content.update(hook=Runs())), "refused because loading it could run code"),
    ("module", altered(lambda content: content.update(model=torch.nn.Linear(1, 1))), "refused because"),
    ("no state", lambda path: torch.save({"epoch": 1}, path), "no 'state_dict'"),
    ("list", lambda path: torch.save([1], path), "no 'state_dict'"),
    ("other model", lambda path: torch.save({"state_dict": {"resnet.w": torch.zeros(1)}}, path), "not a PRIMUS checkpoint"),
    ("missing", altered(lambda content: content["state_dict"].pop("imu_encoder.ssl_head.bias")), "ssl_head.bias"),
    ("extra", altered(lambda content: content["state_dict"].update({"imu_encoder.more": torch.zeros(1)})), "more"),
    ("shape", altered(lambda content: content["state_dict"].update({"imu_encoder.ssl_head.bias": torch.zeros(7)})), r"\(7,\)"),
    ("type", altered(lambda content: content["state_dict"].update({"imu_encoder.ssl_head.bias": torch.zeros(512, dtype=torch.int64)})), "int64"),
    ("number", altered(lambda content: content["state_dict"].update({"imu_encoder.ssl_head.bias": 3})), "expected a tensor"),
    ("nan", altered(lambda content: content["state_dict"].update({"imu_encoder.ssl_head.bias": torch.full((512,), torch.nan)})), "not finite"),
    ("flipped", flipped, "checksum of its member"),
    ("no text", no_text, "not a PyTorch checkpoint"),
    ("huge", huge_view, "not a readable PyTorch checkpoint"),
]


@pytest.mark.parametrize(("write", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_everything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.ckpt"
    write(path)
    with pytest.raises(UserError, match=message) as caught:
        load_released_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_importing_loses_nothing_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(lightning(ImuEncoder()), tmp_path / "released.ckpt")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    import_checkpoint(Path("released.ckpt"), Path("model"))
    import_checkpoint(Path("released.ckpt"), Path("model"))  # an earlier result is replaced
    (tmp_path / "a file").touch()
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "head.json").touch()
    for out, said in (
        (".", "working folder"),
        ("a file", "OUT a file is a file"),
        ("things", "folder of other things"),
        ("a file/model", "cannot write"),
    ):
        with pytest.raises(UserError, match=said):
            import_checkpoint(Path("released.ckpt"), Path(out))
    (tmp_path / "model" / "head.json").touch()
    with pytest.raises(UserError, match=r"holds head\.json beside a model"):
        import_checkpoint(Path("released.ckpt"), Path("model"))
    assert (tmp_path / "README.md").read_text() == "mine"


def test_saving_replaces_a_model_card_and_no_other_readme(tmp_path: Path) -> None:
    encoder = ImuEncoder()
    encoder.save_pretrained(tmp_path)
    card = tmp_path / "README.md"
    card.write_text(card.read_text() + "\nMore about these weights.\n")
    encoder.save_pretrained(tmp_path)
    card.write_text("# My project\n\nIt is no card, though it speaks of library_name: primus-imu\n")
    with pytest.raises(UserError, match=r"README\.md is no model card"):
        encoder.save_pretrained(tmp_path)
    assert card.read_text().startswith("# My project")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; give a folder"):
        encoder.save_pretrained(tmp_path / "file")
    assert not list(tmp_path.glob(".*.tmp"))
