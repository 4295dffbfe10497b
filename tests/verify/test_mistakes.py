"""A person's mistake is one clear line that names the thing, the value and the remedy, with an exit status other than 0."""

import os
import shutil
from pathlib import Path

import pytest

from tests.verify.workshop import Workshop

pytestmark = [pytest.mark.verify, pytest.mark.timeout(900)]


def fails(copy: Workshop, *words: str, stage: str = "segment", settings: dict[str, str] | None = None, **environment: str) -> str:
    """Run a stage after changing params; it must fail with exactly one error line holding all `words`."""
    params = copy.folder / "params.yaml"
    text = params.read_text()
    for old, new in (settings or {}).items():
        assert old in text, f"params.yaml no longer holds {old!r}"
        text = text.replace(old, new, 1)
    params.write_text(text)
    done = copy.run("python", "-m", f"stages.{stage.split()[0]}", *stage.split()[1:], check=False, **environment)
    assert done.returncode not in (0, None)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], f"{word!r} is not in: {lines[0]}"
    return lines[0]


@pytest.fixture
def copy(tmp_path: Path) -> Workshop:
    return Workshop.make(tmp_path, "tiny")


def test_missing_root_variable(copy: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMUS_SAMPLES", raising=False)
    fails(copy, "PRIMUS_SAMPLES", "not set", stage="manifest", settings={"data: tiny": "data: samples"})


def test_empty_root(copy: Workshop, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    for name in ("actioncam", "sp-sw-har"):
        (empty / name).mkdir()
    fails(copy, str(empty), stage="manifest", settings={"data: tiny": "data: samples"}, PRIMUS_SAMPLES=str(empty))


def test_wrong_profile(copy: Workshop) -> None:
    fails(copy, "'tyni'", "did you mean 'tiny'", stage="simulate", settings={"data: tiny": "data: tyni"})


def test_params_typo(copy: Workshop) -> None:
    fails(copy, "loss.lamda_nn", "did you mean 'lambda_nn'", stage="pretrain primus", settings={"  lambda_nn: null": "  lamda_nn: 1.0"})


def test_negative_weight(copy: Workshop) -> None:
    fails(copy, "lambda_nn", "-1", stage="pretrain primus", settings={"  lambda_nn: null": "  lambda_nn: -1.0"})


def test_all_takes_refused(copy: Workshop) -> None:
    copy.dvc("repro", "manifest")
    for path in (copy.folder / "data/tiny/raw").rglob("*"):
        if path.suffix in (".vrs", ".csv", ".zip"):
            path.write_bytes(b"")
    fails(copy, "refused", stage="segment")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("chattr"), reason="root writes everywhere unless a file stands in the way")
def test_output_folder_not_writable(copy: Workshop) -> None:
    copy.dvc("repro", "manifest")
    blocker = copy.folder / "data" / "tiny" / "segments"
    shutil.rmtree(blocker, ignore_errors=True)
    blocker.write_text("a file where the folder should be")
    fails(copy, "segments", stage="segment")
