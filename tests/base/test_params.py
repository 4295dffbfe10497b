"""Parameters are strict, layered (section, profile, preset), and every mistake in them is reported at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import yaml

import primus.params
from primus.errors import UserError
from primus.params import AT_TOP, Compute, load, load_datasets, load_value, profile_name, resolve


@dataclass(frozen=True)
class Inner:
    retrieval: Literal["video", "text"]
    exclude: str = "none"


@dataclass(frozen=True)
class Section:
    rate_hz: float
    shots: tuple[int, ...]
    nn: Inner
    window_s: float | None
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.rate_hz <= 0:
            raise ValueError(f"demo.rate_hz must be positive, found {self.rate_hz}")


GOOD = {
    "data": "demo",
    "preset": "ours",
    "section": {"rate_hz": None, "shots": [1, 5], "nn": {"retrieval": None}, "window_s": None},
    "profiles": {"demo": {"section": {"rate_hz": 50}}, "other": {"section": {"rate_hz": 100.0}}},
    "presets": {"ours": {"section": {"nn": {"retrieval": "video"}}}},
}


@pytest.fixture(autouse=True)
def _a_section_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primus.params, "AT_TOP", (*AT_TOP, "section"))
    monkeypatch.setattr(primus.params, "IN_PROFILE", (*primus.params.IN_PROFILE, "section"))
    monkeypatch.setattr(primus.params, "IN_PRESET", (*primus.params.IN_PRESET, "section"))


def write(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return path


def test_layers_are_resolved_in_order(tmp_path: Path) -> None:
    assert load(Section, "section", write(tmp_path)) == Section(50.0, (1, 5), Inner("video"), None)
    over = GOOD["section"] | {"rate_hz": 25.0, "nn": {"retrieval": "text", "exclude": "take"}}  # type: ignore[operator]
    assert load(Section, "section", write(tmp_path, section=over)) == Section(25.0, (1, 5), Inner("text", "take"), None)
    assert load(Section, "section", write(tmp_path, data="other")).rate_hz == 100.0


def test_all_mistakes_are_reported_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    section = {"rate_hzz": 3, "shots": 5, "nn": {"retrieval": "vdeo"}, "window_s": "long"}
    with pytest.raises(UserError) as caught:
        load(Section, "section", write(tmp_path, section=section, profiles={"demo": {}}))
    text = str(caught.value)
    for part in (
        "unknown key section.rate_hzz; did you mean 'rate_hz'?",
        "missing value for section.rate_hz",
        "section.shots must be a list, found 5",
        "section.nn.retrieval must be one of 'video', 'text', found 'vdeo'; did you mean 'video'?",
        "section.window_s must be a number or null, found 'long'",
    ):
        assert part in text
    assert "\n" not in text


def test_values_out_of_range_and_wrong_profile(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be positive, found -1"):
        load(Section, "section", write(tmp_path, section=GOOD["section"] | {"rate_hz": -1}))  # type: ignore[operator]
    with pytest.raises(UserError, match="data='demmo' is not one of the profiles; did you mean 'demo'"):
        load(Section, "section", write(tmp_path, data="demmo"))
    with pytest.raises(UserError, match="must be a finite number"):
        load(Section, "section", write(tmp_path, section=GOOD["section"] | {"rate_hz": float("nan")}))  # type: ignore[operator]
    with pytest.raises(UserError, match="no section 'sectoin'"):
        load(Section, "sectoin", write(tmp_path))


def test_misspelt_sections_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    profiles = {"demo": {"section": {"rate_hz": 50}, "segmnt": {}}}
    with pytest.raises(UserError, match=r"unknown section profiles.demo.segmnt; did you mean 'segment'"):
        load(Section, "section", write(tmp_path, profiles=profiles))
    with pytest.raises(UserError, match=r"unknown section los; did you mean 'loss'"):
        load(Section, "section", write(tmp_path, los={}))


def test_compute_and_data_sets_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"compute\.workers must be a whole number, found 'two'"):
        load(Compute, "compute", write(tmp_path, compute={"threads": 2, "workers": "two"}))
    with pytest.raises(UserError, match=r"compute\.threads must be >= 1, found 0"):
        load(Compute, "compute", write(tmp_path, compute={"threads": 0, "workers": 1}))
    for datasets, said in (([1], r"found \[1\]"), ({"a": None}, "datasets.a must be a mapping"), ({"a": {}}, "datasets.a has no root")):
        with pytest.raises(UserError, match=said):
            load_datasets(write(tmp_path, profiles={"demo": {"datasets": datasets}}))


def test_true_is_not_a_number(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be a number, found True"):
        load(Section, "section", write(tmp_path, section=GOOD["section"] | {"rate_hz": True}))  # type: ignore[operator]


def test_single_values(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert load_value("profiles.demo.section.rate_hz", path) == 50
    assert profile_name(path) == "demo"
    with pytest.raises(UserError, match=r"no key 'profiles.demo.sektion'; did you mean 'section'"):
        load_value("profiles.demo.sektion", path)


def test_one_value_is_the_one_that_a_section_would_have(tmp_path: Path) -> None:
    for changes in ({}, {"data": "other"}, {"section": GOOD["section"] | {"rate_hz": 20, "nn": {"retrieval": "text"}}}):  # type: ignore[operator]
        path = write(tmp_path, **changes)
        whole = load(Section, "section", path)
        assert resolve("section.rate_hz", path) == whole.rate_hz
        assert resolve("section.nn.retrieval", path) == whole.nn.retrieval
    with pytest.raises(UserError, match=r"missing value for section\.window_s: set it there, or in the profile or the preset"):
        resolve("section.window_s", path)
    with pytest.raises(UserError, match=r"no key 'section\.shot'; did you mean 'shots'"):
        resolve("section.shot", path)


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("data: !!python/object/apply:os.system ['touch hacked']\n")
    with pytest.raises(UserError, match="not valid YAML"):
        profile_name(path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: " + "[" * 5000, "nests deeper"),
        ("a: &a [*a]", "levels"),
        ("b0: &b0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"b{k}: &b{k} [{', '.join([f'*b{k - 1}'] * 10)}]\n" for k in range(1, 9)), "more than"),
        ("a: 2024-99-99", "not valid YAML"),
        ("a: !!python/object/apply:os.system ['touch executed']", "not valid YAML"),
        ("[1, 2]", "must hold a mapping"),
        ("data: [demo]\nprofiles: {demo: {}}", "not one of the profiles"),
        ("data: demo\nprofiles: [demo]", "profiles must be a mapping"),
    ],
    ids=["deep", "endless", "bomb", "date", "code", "list", "choice", "table"],
)
def test_hostile_files_are_refused_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=match) as caught:
        profile_name(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_folder_is_no_params_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not valid YAML"):
        profile_name(tmp_path)
