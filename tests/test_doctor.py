"""`primus doctor`: what is found wrong, and what it says to do."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from primus import doctor
from primus.work_cache import WorkCache

ROOT = Path(__file__).resolve().parent.parent


def found(*names: str) -> list[doctor.Check]:
    """The checks of those names, in the order they stand."""
    return [check for check in doctor.examine() if check.name in names]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders are tried in one test only: it takes a process."""
    monkeypatch.setattr(doctor, "_decoders", list)


def test_every_finding_that_is_not_ok_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for check in doctor.examine():
        assert check.found, check.name
        assert check.status in ("ok", "note", "wrong", "missing")
        assert check.status in ("ok", "note") or check.remedy, f"{check.name} says nothing to do"


def test_a_root_must_hold_what_its_readers_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGOEXO4D_ROOT", str(tmp_path))
    (check,) = found("EGOEXO4D_ROOT")
    assert check.status == "wrong"
    assert check.found.endswith("has no takes.json and no annotations")
    (tmp_path / "takes.json").write_text("[]")
    (tmp_path / "annotations").mkdir()
    (check,) = found("EGOEXO4D_ROOT")
    assert check.status == "ok"


def test_roots_of_a_profile_somebody_added_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = {"mine": {"root": "$LAB_ROOT/2026"}, "made": {"root": "data/lab/raw"}, "odd": None}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"profiles": {"lab": {"datasets": datasets}, "empty": None}}))
    monkeypatch.chdir(tmp_path)
    (check,) = found("LAB_ROOT")
    assert (check.status, check.remedy) == ("note", "profile lab: the recordings of mine")
    monkeypatch.setenv("LAB_ROOT", str(tmp_path / "absent"))
    (check,) = found("LAB_ROOT")
    assert check.status == "wrong"
    (tmp_path / "params.yaml").write_text("profiles: [nothing, of, the, kind]")
    assert not found("LAB_ROOT")


def test_damaged_entries_of_the_cache_are_counted_and_removed() -> None:
    cache = WorkCache("segments")
    keys = [f"{number:064x}" for number in range(5)]
    for key in keys:
        cache.store(key, {"imu": np.arange(4)}, {})
    damaged = cache.root / keys[3][:2] / f"{keys[3]}.entry"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    (check,) = found("work cache entries")
    assert check.status == "wrong"
    assert check.found.startswith("1 of 5 entries")
    assert not damaged.exists()
    (check,) = found("work cache entries")
    assert (check.status, check.found) == ("ok", "checksums of 4 agree")


def test_a_cache_that_is_a_file_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("PRIMUS_CACHE", str(tmp_path / "cache"))
    (check,) = found("work cache")
    assert check.status == "missing"
    assert "PRIMUS_CACHE" in check.remedy


def test_free_disk_is_compared_with_what_the_profile_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(doctor, "_profile", lambda: "egoexo4d")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**30))
    check = found("free disk")[0]
    assert check.status == "wrong", "the demo could still run"
    assert "5.0 GiB; profile egoexo4d takes about" in check.found
    monkeypatch.setattr(doctor, "_profile", lambda: "demo")
    assert found("free disk")[0].status == "ok"


def test_an_engine_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUS_ENGINE", "spark")
    (check,) = found("engine")
    assert check.status == "wrong"
    assert "expected local or ray" in check.found


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.Path, "exists", lambda self: True)
    assert doctor._device().status == "wrong"


@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_decoders_are_tried(backend: str) -> None:
    pytest.importorskip({"pyav": "av", "decord": "decord"}[backend])
    assert doctor._decode(backend) == "decodes H.264"
