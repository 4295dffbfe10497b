"""The frozen prompt files fit the readers' classes and the text encoder's rules; malformed ones are refused by name."""

import json
from pathlib import Path

import pytest

from primus.embeddings.text import clean_text
from primus.errors import UserError
from primus.evaluation.prompts import FOLDER, ClassPrompts, has_prompts, load_prompts
from primus.io.ego4d import SCENARIOS
from primus.io.egoexo4d_labels import CLASSES as EGOEXO4D
from primus.io.specs import UCA_EHAR
from primus.simulate.activities import REALWORLD

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
CLASSES = {
    "egoexo4d": set(EGOEXO4D),
    "ego4d": set(SCENARIOS.values()),
    "realworld": set(REALWORLD),
    "uca-ehar": set(UCA_EHAR.labels.values()),
    "sp-sw-har": {"SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_file_has_exactly_the_classes_of_its_data_set(name: str) -> None:
    assert set(load_prompts(name).phrases) == CLASSES[name]
    assert has_prompts(name)


@pytest.mark.parametrize("name", NAMES)
def test_prompts_are_what_cleaned_narrations_look_like_and_differ_between_classes(name: str) -> None:
    prompts = load_prompts(name)
    classes = sorted(prompts.phrases)
    texts = prompts.texts(classes)
    assert len(texts) == len(prompts.wordings) >= 9
    for wording in texts:
        assert len(wording) == len(set(wording)) == len(classes)
        assert all(text == clean_text(text) for text in wording)


def test_texts_follow_the_order_of_classes_and_wordings() -> None:
    prompts = ClassPrompts("x", ("{}", "a person {}"), {"b": ("runs", "jogs"), "a": ("sits", "rests")})
    assert prompts.texts(["a", "b"]) == [["sits", "runs"], ["rests", "jogs"], ["a person sits", "a person runs"], ["a person rests", "a person jogs"]]
    assert prompts.texts(["b"])[0] == ["runs"]
    with pytest.raises(UserError, match=r"x\.json has no class 'swim'.*it knows a, b"):
        prompts.texts(["a", "swim"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"templates": ["someone"], "classes": {"a": ["runs"]}}, "hold one"),
        ({"templates": ["{}"], "classes": {"a": ["runs"], "b": ["sits", "rests"]}}, "same number"),
        ({"templates": ["{}"], "classes": {"a": ["runs"], "b": ["runs"]}}, "said twice"),
        ({"templates": ["{}"], "classes": {}}, "same number"),
        ({"classes": {"a": ["runs"]}}, "templates"),
        ({"templates": ["{}"], "classes": ["a"]}, "no prompt file"),
        ([], "no prompt file"),
    ],
)
def test_a_malformed_file_is_refused_by_name(tmp_path: Path, content: object, words: str) -> None:
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=words) as error:
        load_prompts("odd", tmp_path)
    assert "odd.json" in str(error.value)


def test_a_missing_file_names_those_there_are() -> None:
    assert not has_prompts("own_probe")
    with pytest.raises(UserError, match=r"no prompt file own_probe\.json; known: ego4d, egoexo4d"):
        load_prompts("own_probe")
