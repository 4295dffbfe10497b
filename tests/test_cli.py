"""The `primus` command: helps, reports, and says in one line what is wrong."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from primus import cli
from primus.commands import encoding_options
from primus.mend import mend


def primus(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "primus", *arguments], capture_output=True, text=True, check=False, env=os.environ | environment | {"COLUMNS": "100"}
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    done = primus("--help")
    assert done.returncode == 0
    for command in (
        "doctor", "mend", "inspect", "encode", "probe", "finetune", "zeroshot", "retrieve", "export", "compare", "import-checkpoint", "convert-clip",
        "ablations", "figures",
    ):  # fmt: skip
        assert command in done.stdout
    code = "import primus.cli, sys; print([m for m in ('torch', 'pandas', 'open_clip', 'h5py') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_commands_that_encode_have_the_same_options() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    encoding = [commands[name] for name in ("encode", "zeroshot", "finetune")] + list(commands["probe"].commands.values())
    shared = ("model", "hop", "time_unit", "accel_unit", "gyro_unit", "missing_gyro", "short", "threads")
    for name in shared:
        options = [option for command in encoding for option in command.params if option.name == name]
        assert len(options) == len(encoding)
        told = {(option.help.partition(" By default the one the probe")[0], str(option.default) if name != "model" else "") for option in options}
        assert len(told) == 1, told
    assert encoding_options.side_by_side(3) == 3
    assert encoding_options.side_by_side(None) >= 1


def commands_of(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield from commands_of(command, *words, name) if hasattr(command, "commands") else [((*words, name), command)]


def test_every_help_string_appears_whole() -> None:
    """Letter by letter, as lines are broken anywhere."""
    for words, command in commands_of(typer.main.get_command(cli.app)):
        shown = "".join(CliRunner().invoke(cli.app, [*words, "--help"]).output.split())
        strings = [command.help, *(parameter.help for parameter in command.params)]
        for string in strings:
            assert "".join((string or "").split()) in shown, (words, string)


def test_doctor_reports_what_is_found_and_what_is_wrong(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(primus("doctor", "--json", EGOEXO4D_ROOT=str(tmp_path)).stdout)}
    assert rows["python"]["status"] == "ok"
    assert rows["EGOEXO4D_ROOT"]["found"].startswith(str(tmp_path))
    assert "no takes.json" in rows["EGOEXO4D_ROOT"]["found"]
    absent = primus("doctor", "--json", EGOEXO4D_ROOT=str(tmp_path / "absent"))
    assert absent.returncode == 0, "the demo needs no root"
    wrong = {row["name"]: row for row in json.loads(absent.stdout)}["EGOEXO4D_ROOT"]
    assert wrong["status"] == "wrong"
    assert "does not exist" in wrong["found"]


def test_a_lack_of_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greedy(**options: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory:\n you tried to allocate 9 bytes")

    monkeypatch.setattr(cli, "app", greedy)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: out of memory (")
    assert said.count("\n") == 1


def test_inspect_says_what_a_recording_holds(tmp_path: Path) -> None:
    seconds = np.arange(0, 10, 0.02)
    table = pd.DataFrame({"timestamp": seconds, "acc_x": 0.1, "acc_y": 0.2 * np.sin(seconds), "acc_z": 9.81})
    table = table.assign(gyro_x=0.01 * np.sin(seconds), gyro_y=0.02, gyro_z=0.0)
    table.to_csv(tmp_path / "mine.csv", index=False)
    facts = json.loads(primus("inspect", str(tmp_path / "mine.csv"), "--json").stdout)
    assert facts["samples"] == 500
    assert facts["rate_hz"] == pytest.approx(50)
    assert facts["mean_specific_force_m_s2"] == pytest.approx(9.81, abs=0.02)


def test_inspect_takes_units_as_encode_does(tmp_path: Path) -> None:
    seconds = np.arange(0, 10, 0.02)
    path = tmp_path / "tilted.csv"
    pd.DataFrame({"t": seconds, "acc_x": 1.3, "acc_y": 0.1 * np.sin(seconds), "acc_z": 3.0}).to_csv(path, index=False)
    unsure = primus("inspect", str(path))
    assert unsure.returncode == 1
    assert "state it (--accel-unit; in Python units={" in unsure.stderr
    stated = primus("inspect", str(path), "--accel-unit", "g", "--time-unit", "s", "--json")
    assert json.loads(stated.stdout)["mean_specific_force_m_s2"] == pytest.approx(9.80665 * 3.27, rel=0.01)
    assert stated.stderr == "", "nothing is guessed"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "in/tilted.csv")
    member = primus("inspect", f"{tmp_path / 'a.zip'}::in/tilted.csv")
    assert member.stderr.startswith("error: a.zip::in/tilted.csv: the accelerometer's median")
    assert "member" not in member.stderr


def test_inspect_names_folders_and_files_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "walks").mkdir()
    (tmp_path / "walks" / "0.csv").touch()
    monkeypatch.chdir(tmp_path)
    for name, said in (
        ("walks", "walks is a folder; give one recording in it, e.g. walks/0.csv, or use `primus encode walks` for all"),
        ("wlaks", "wlaks: no such file"),
    ):
        done = CliRunner().invoke(cli.app, ["inspect", name])
        assert str(done.exception).startswith(said)


def test_mend_removes_only_what_dvc_cannot_read(tmp_path: Path) -> None:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    rwlock, lock, roots = tmp_path / ".dvc" / "tmp" / "rwlock", tmp_path / "dvc.lock", tmp_path / "data" / "roots" / "own" / "dvc.lock"
    roots.parent.mkdir(parents=True)
    sound = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n"
    for content, expected in (("", ["dvc.lock", "rwlock"]), ("{}", ["rwlock"])):
        rwlock.write_text("{" if expected else "{}")
        lock.write_text(content if content == "" else sound)
        roots.write_text(sound)
        assert sorted(Path(name).name for name in mend(tmp_path)) == expected
        assert not rwlock.exists()
        assert roots.exists()
    rwlock.write_text("{}")
    assert mend(tmp_path) == []
    lock.write_text("schema: '2.0'\nstages:\n  a: [")
    assert mend(tmp_path) == ["dvc.lock"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "none.vrs"), "none.vrs"),
        (("inspect", "none.xyz"), "none.xyz"),
        (("import-checkpoint", "none.ckpt", "out"), "none.ckpt"),
        (("convert-clip", "nowhere", "out"), "nowhere"),
        (("probe", "train", "nowhere", "--model", "none", "--out", "out"), "none"),
        (("probe", "predict", "nowhere", "--probe", "none", "--out", "out.parquet"), "none"),
        (("zeroshot", "nowhere", "--prompts", "none.txt", "--model", "none", "--out", "out.parquet"), "none.txt"),
        (("retrieve", "walks", "--in", "none.parquet", "--model", "none"), "none.parquet"),
        (("export", "--model", "none", "--out", "x.onnx", "--target", "x"), "--target is x"),
        (("export", "--model", "none", "--out", "x.onnx", "--int8"), "--labelled"),
        (("compare", "a.json", "nowhere"), "different kinds"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = primus(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
