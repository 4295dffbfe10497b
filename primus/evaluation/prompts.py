"""Class prompts: frozen files that say each class of a data set in several wordings, for classifying without labels.

A file `class_prompts/<name>.json` holds `templates` (each with one `{}`) and `classes`: class -> phrases, as many for every class. A wording is one
template with one phrase number, so that all classes are worded alike; phrases are verbs in the third person, as cleaned narrations are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from primus.errors import UserError

FOLDER = Path(__file__).parent / "class_prompts"


@dataclass(frozen=True)
class ClassPrompts:
    """One prompt file.

    Attributes:
        name: of the file.
        templates: sentences with one `{}`.
        phrases: class -> what fills the template; the same number for every class.

    Raises:
        ValueError: a template without exactly one `{}`, no class, classes with different numbers of phrases, or a phrase of two classes.
    """

    name: str
    templates: tuple[str, ...]
    phrases: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        wrong = [template for template in self.templates if template.count("{}") != 1]
        if wrong or not self.templates:
            raise ValueError(f"templates must hold one {{}} each, found {str(wrong or 'none')[:200]}")
        counts = {label: len(phrases) for label, phrases in self.phrases.items()}
        if not counts or len(set(counts.values())) != 1 or 0 in counts.values():
            raise ValueError(f"every class needs the same number (one or more) of phrases, found {str(counts)[:200]}")
        said = [phrase for phrases in self.phrases.values() for phrase in phrases]
        twice = sorted({phrase for phrase in said if said.count(phrase) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is said twice; no prompt could tell its classes apart")

    @property
    def wordings(self) -> tuple[tuple[int, int], ...]:
        """(template number, phrase number) of every wording."""
        return tuple(product(range(len(self.templates)), range(len(next(iter(self.phrases.values()))))))

    def texts(self, classes: Sequence[str]) -> list[list[str]]:
        """Prompts by wording, then by class in the order of `classes`; a class the file does not know is a UserError."""
        missing = sorted(set(classes) - set(self.phrases))
        if missing:
            raise UserError(
                f"prompt file {self.name}.json has no class {missing[0]!r} ({len(missing)} of {len(classes)} classes are missing); "
                f"it knows {', '.join(sorted(self.phrases))}: add the class to primus/evaluation/class_prompts/{self.name}.json"
            )
        return [[self.templates[template].format(self.phrases[label][phrase]) for label in classes] for template, phrase in self.wordings]


def has_prompts(name: str, folder: Path = FOLDER) -> bool:
    """Whether there is a prompt file of that name."""
    return (folder / f"{name}.json").is_file()


def load_prompts(name: str, folder: Path = FOLDER) -> ClassPrompts:
    """Read the prompt file `name`; a missing or malformed one is a UserError."""
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return ClassPrompts(
            name,
            tuple(map(str, content["templates"])),
            {str(label): tuple(map(str, phrases)) for label, phrases in content["classes"].items()},
        )
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in folder.glob("*.json")))
        raise UserError(f"there is no prompt file {path.name}; known: {known}; write one in primus/evaluation/class_prompts") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path.name} is no prompt file ({error}); expected `templates` and, in `classes`, the phrases of each class") from None
