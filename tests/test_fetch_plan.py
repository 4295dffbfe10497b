"""What to fetch: sums agree, every size and trap names a public page, and the command says it."""

import json
import re
import subprocess
import sys

import pytest

from primus.fetch_facts import DATASETS, MODALITIES
from primus.fetch_plan import as_rows, fetch_plan, render


def plan_of(name: str, modalities: str = "imu+text"):
    (plan,) = fetch_plan([name], modalities)  # type: ignore[arg-type]
    return plan


def test_ego_exo4d_is_the_least_that_the_reader_needs() -> None:
    text, video = plan_of("egoexo4d"), plan_of("egoexo4d", "imu+text+video")
    parts = [re.search(r"--parts (\S+)", step.command).group(1) for step in text.steps]  # type: ignore[union-attr]
    assert parts == ["metadata", "annotations", "captures", "take_vrs_noimagestream"]
    assert [step.command for step in video.steps[4:]] == ["egoexo -o DIR --parts downscaled_takes/448 -y"]
    assert text.known_gb() == pytest.approx(1049.789)
    assert video.known_gb() == pytest.approx(1488.345)
    assert text.unknown() == video.unknown() == 0


def test_every_fact_names_its_public_page() -> None:
    for plan in DATASETS.values():
        assert plan.licence.source.startswith("http")
        for step in plan.steps:
            assert step.source.startswith("http"), step.command
            assert step.gb is None or step.gb >= 0
        for trap in plan.traps:
            assert trap.source.startswith("http") or plan.name == "realworld", trap.text


@pytest.mark.parametrize("modalities", MODALITIES)
def test_unknown_sizes_are_said_to_be_unknown(modalities) -> None:
    for name in DATASETS:
        plan = plan_of(name, modalities)
        said = render([plan], modalities)
        assert said.count("# size unknown") == plan.unknown()
        assert all(step.command in said for step in plan.steps)
        assert all(len(line) <= 110 for line in said.splitlines() if line.startswith(("- ", "  ")) and "http" not in line and "DIR" not in line)
    assert "video_540ss" in render([plan_of("ego4d", "imu+text+video")], "imu+text+video")
    assert "video_540ss" not in render([plan_of("ego4d")], "imu+text")


def test_roots_are_those_that_the_profile_reads(repo_root) -> None:
    profiles = (repo_root / "params.yaml").read_text()
    for name in DATASETS:
        (variable,) = re.findall(r"export (\w+)=", "\n".join(plan_of(name).afterwards))
        assert f"root: ${variable}" in profiles
    assert "primus extract-imu DIR" in plan_of("egoexo4d").afterwards[0]


def test_the_command() -> None:
    def primus(*arguments: str) -> str:
        return subprocess.run([sys.executable, "-m", "primus", "fetch-plan", *arguments], capture_output=True, text=True, check=True).stdout

    assert "Together 1,488 GB" in primus("--dataset", "egoexo4d", "--modalities", "imu+text+video")
    said = primus()
    assert all(plan.title in said for plan in DATASETS.values())
    rows = json.loads(primus("--json"))
    assert rows == json.loads(json.dumps(as_rows(fetch_plan(list(DATASETS), "imu+text"))))
    assert [row["sizes_unknown"] for row in rows] == [0, 1, 1]
