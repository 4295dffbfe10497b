"""A person's mistake is one clear line that names the thing, the value and the remedy, with an exit status other than 0."""

import shutil
from pathlib import Path

import pytest

from tests.verify.workshop import Workshop

pytestmark = [pytest.mark.verify, pytest.mark.timeout(900)]


def error_line(copy: Workshop, stage: str, settings: dict[str, str] | None = None, **environment: str) -> str:
    """Run a stage after changing params; it must fail with exactly one error line, which is returned."""
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
    return lines[0]


@pytest.fixture
def copy(tmp_path: Path) -> Workshop:
    return Workshop.make(tmp_path, "tiny")


def test_missing_root_variable(copy: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMUS_SAMPLES", raising=False)
    line = error_line(copy, stage="manifest", settings={"data: tiny": "data: samples"})
    assert "PRIMUS_SAMPLES" in line
    assert "not set" in line


def test_empty_root(copy: Workshop, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    for name in ("actioncam", "sp-sw-har"):
        (empty / name).mkdir()
    line = error_line(copy, stage="manifest", settings={"data: tiny": "data: samples"}, PRIMUS_SAMPLES=str(empty))
    assert str(empty) in line


def test_wrong_profile(copy: Workshop) -> None:
    line = error_line(copy, stage="simulate", settings={"data: tiny": "data: tyni"})
    assert "'tyni'" in line
    assert "did you mean 'tiny'" in line


def test_params_typo(copy: Workshop) -> None:
    line = error_line(copy, stage="pretrain primus", settings={"  lambda_nn: null": "  lamda_nn: 1.0"})
    assert "loss.lamda_nn" in line
    assert "did you mean 'lambda_nn'" in line


def test_negative_weight(copy: Workshop) -> None:
    line = error_line(copy, stage="pretrain primus", settings={"  lambda_nn: null": "  lambda_nn: -1.0"})
    assert "lambda_nn" in line
    assert "-1" in line


def test_all_takes_refused(copy: Workshop) -> None:
    copy.dvc("repro", "manifest")
    for path in (copy.folder / "data/tiny/raw").rglob("*"):
        if path.suffix in (".vrs", ".csv", ".zip"):
            path.write_bytes(b"")
    line = error_line(copy, stage="segment")
    assert "refused" in line


def test_output_folder_not_writable(copy: Workshop) -> None:
    copy.dvc("repro", "manifest")
    blocker = copy.folder / "data" / "tiny" / "segments"
    shutil.rmtree(blocker, ignore_errors=True)
    blocker.write_text("a file where the folder should be")
    line = error_line(copy, stage="segment")
    assert "segments" in line
