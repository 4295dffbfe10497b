"""The list of experiments: everything it names exists in params.yaml, every variant composes, mistakes are named."""

import dataclasses
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from primus.augment import MULTITASK
from primus.errors import UserError
from primus.evaluation.settings import FewShotParams
from primus.experiments.composing import composed, decisive, in_hydra, overrides
from primus.experiments.listing import Experiment, experiments_of, read_figures, read_groups
from primus.params import layered, load, read_params
from primus.training.method import MethodSettings
from primus.training.run import PretrainSettings
from tests.experiments.toy_project import write_list

ROOT = Path(__file__).resolve().parent.parent.parent
PROFILES = ("demo", "tiny", "samples", "egoexo4d", "own")


def listed(profile: str) -> list[Experiment]:
    files = (ROOT / "experiments.yaml", ROOT / "params.yaml")
    return [*experiments_of(read_groups(profile, *files)), read_figures(profile, *files)]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_listed_experiment_composes(profile: str, tmp_path: Path) -> None:
    params = read_params(ROOT / "params.yaml")
    for experiment in listed(profile):
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(composed(experiment, params)))
        settings = load(PretrainSettings, "pretrain", path)
        load(FewShotParams, "fewshot", path)
        assert len(settings.seeds) == experiment.seeds >= (1 if "augmentation_pairs" in experiment.name else 3), experiment.name
        for method, entry in read_params(path)["methods"].items():
            load(MethodSettings, entry["section"], path)
            assert method in experiment.methods


def test_the_groups_of_the_issue_are_listed() -> None:
    groups = {group.name: group for group in read_groups("demo", ROOT / "experiments.yaml", ROOT / "params.yaml")}
    wanted = ("losses", "layout", "input_norm", "false_negatives", "nn_exclude", "fraction_aligned", "augmentations", "negatives", "bfloat16")
    assert set(wanted) <= set(groups)
    weights = ("loss.lambda_ss", "loss.lambda_mm", "loss.lambda_nn")
    subsets = {tuple(variant.experiment.settings.get(weight, 1) for weight in weights) for variant in groups["losses"].variants}
    assert len(subsets) == 7


def test_every_transformation_and_every_pair_of_them_is_listed() -> None:
    groups = {group.name: group for group in read_groups("demo", ROOT / "experiments.yaml", ROOT / "params.yaml")}
    params = read_params(ROOT / "params.yaml")
    listed = []
    for variant in groups["augmentation_pairs"].variants:
        names = [entry["name"] for entry in layered(composed(variant.experiment, params), "pretrain.augment")]
        assert "-".join(names) == variant.name
        listed.append(frozenset(names))
    assert sorted(map(sorted, listed)) == sorted(map(sorted, [*combinations(MULTITASK, 1), *combinations(MULTITASK, 2)]))


def test_no_two_experiments_share_a_name_or_a_setting() -> None:
    params = read_params(ROOT / "params.yaml")
    found = [yaml.safe_dump(decisive(composed(experiment, params))) for experiment in listed("demo")]
    assert len(set(found)) == len(found), "equal settings must be one experiment: write the variant as the reference is written"
    names = [experiment.name for experiment in listed("demo")]
    assert len(set(names)) == len(names)


def test_equal_settings_are_one_experiment(tmp_path: Path) -> None:
    write_list(tmp_path)
    weights, widths = read_groups("toy", tmp_path / "experiments.yaml", tmp_path / "params.yaml")
    assert weights.reference.experiment is widths.reference.experiment
    assert [experiment.name for experiment in experiments_of([weights, widths])] == [
        "ablation-weights-one",
        "ablation-weights-three",
        "ablation-widths-odd",
    ]
    assert [(variant.name, variant.x) for variant in weights.variants] == [("one", 1.0), ("three", 3.0)]


def test_another_profile_is_named_and_set(tmp_path: Path) -> None:
    write_list(tmp_path)
    group = read_groups("other", tmp_path / "experiments.yaml", tmp_path / "params.yaml")[0]
    experiment = group.reference.experiment
    assert experiment.name == "other-ablation-weights-one"
    assert overrides(experiment, read_params(tmp_path / "params.yaml")) == [
        "data=other",
        "~methods.random",
        "pretrain.seeds=[0,1]",
        "pretrain.width=2",
    ]


def test_a_profile_has_groups_of_its_own_making(tmp_path: Path) -> None:
    write_list(tmp_path)
    widths = read_groups("other", tmp_path / "experiments.yaml", tmp_path / "params.yaml")[1]
    assert [variant.name for variant in widths.variants] == ["narrow", "wide"]
    assert {variant.experiment.methods for variant in widths.variants} == {("primus", "random")}
    assert [variant.experiment.settings["pretrain.width"] for variant in widths.variants] == [2, 3], "a variant's own setting comes last"
    assert [variant.name for variant in read_groups("toy", tmp_path / "experiments.yaml", tmp_path / "params.yaml")[1].variants] == ["narrow", "odd"]


def test_a_group_sets_what_its_variants_share(tmp_path: Path) -> None:
    write_list(tmp_path)
    path = tmp_path / "experiments.yaml"
    path.write_text(path.read_text().replace("    asks: how heavy\n", "    asks: how heavy\n    set: {pretrain.width: 5, loss.weight: 4}\n"))
    weights, widths = read_groups("toy", path, tmp_path / "params.yaml")
    assert [variant.experiment.settings for variant in weights.variants] == [
        {"pretrain.seeds": [0, 1], "pretrain.width": 5, "loss.weight": 4},
        {"pretrain.seeds": [0, 1], "pretrain.width": 5, "loss.weight": 3},
    ]
    assert widths.reference.experiment.settings == {"pretrain.seeds": [0, 1]}


def test_methods_are_added_and_left_out(tmp_path: Path) -> None:
    write_list(tmp_path)
    params = read_params(tmp_path / "params.yaml")
    experiment = read_figures("toy", tmp_path / "experiments.yaml", tmp_path / "params.yaml")
    assert overrides(experiment, params) == ["+methods.extra.section=baselines.extra", "~methods.random", "loss.weight=2"]
    assert composed(experiment, params)["methods"] == {"primus": {"section": "loss"}, "extra": {"section": "baselines.extra"}}


def test_figures_are_set_otherwise_on_a_profile(tmp_path: Path) -> None:
    write_list(tmp_path)
    path = tmp_path / "experiments.yaml"
    own = "  set: {loss.weight: 2, pretrain.width: 4}\n  on_profile:\n    other: {loss.weight: 3}\n"
    path.write_text(path.read_text().replace("  set: {loss.weight: 2}\n", own))
    assert read_figures("toy", path, tmp_path / "params.yaml").settings == {"loss.weight": 2, "pretrain.width": 4}
    assert read_figures("other", path, tmp_path / "params.yaml").settings == {"loss.weight": 3, "pretrain.width": 4}
    path.write_text(path.read_text().replace("other: {loss.weight", "another: {loss.wait"))
    with pytest.raises(UserError, match=r"figures.on_profile names 'another'.*wait"):
        read_figures("toy", path, tmp_path / "params.yaml")


def test_what_few_shot_scores_depend_on() -> None:
    params = read_params(ROOT / "params.yaml")
    other = {**params, "report": {}, "profiles": {**params["profiles"], "samples": {}}}
    assert decisive(other) == decisive(params)
    assert decisive({**params, "compute": {"threads": 1}}) != decisive(params)


def test_values_in_the_grammar_of_overrides() -> None:
    assert in_hydra([{"name": "rotation", "strength": 0.5}, {"name": "noise"}]) == "[{name:rotation,strength:0.5},{name:noise}]"
    assert (in_hydra(None), in_hydra(True), in_hydra([0, 1]), in_hydra("none")) == ("null", "true", "[0,1]", "none")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{loss.weight: 3}", "{loss.wieght: 3}", "'wieght' there; did you mean 'weight'"),
        ("reference: one", "reference: two", "groups.weights.reference is 'two'"),
        ("three: 3}", "four: 3}", "x names 'four'"),
        ("methods: [primus]", "methods: [prismus]", "did you mean 'primus'"),
        ("asks: how heavy", "ask: how heavy", "unknown key 'ask'"),
        ("      three:", "      Three Kilos:", "must be made of small letters"),
        ("every: {pretrain.seeds", "every: {pretrain.sedes", "did you mean 'seeds'"),
        ("  other: {pretrain.width", "  otter: {pretrain.width", "on_profile names 'otter'; did you mean 'other'"),
        ("  other: {pretrain.width", "  other: {pretrain.witdh", "on_profile.other sets 'pretrain.witdh'"),
        (
            "      other:\n        methods",
            "      other:\n        asks: again\n        methods",
            "unknown key 'asks' in groups.widths.on_profile.other",
        ),
    ],
)
def test_mistakes_in_the_list_are_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    write_list(tmp_path)
    path = tmp_path / "experiments.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(UserError, match=said):
        read_groups("toy", path, tmp_path / "params.yaml")


def test_experiments_are_values() -> None:
    experiment = Experiment("a", "demo", ("primus",), {"pretrain.seeds": [0]})
    assert dataclasses.replace(experiment) == experiment
    assert len({experiment, dataclasses.replace(experiment)}) == 1
