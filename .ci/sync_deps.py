"""Compare, or rewrite, the code dependencies in dvc.yaml with what each stage really imports.

DVC does not follow Python imports, so every stage lists the source files it reaches. `--write` puts the list in place (data dependencies are
kept, in their order, before it); without it the differences are printed and the exit status is 1 when there are any.
"""

import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from primus.provenance import import_closure  # noqa: E402


def is_code(dependency: str) -> bool:
    """Whether a dependency is one of the project's source files."""
    return dependency.endswith(".py") and dependency.split("/")[0] in ("primus", "stages")


def stage_module(name: str, body: dict) -> str:
    """`stages.<script>` from a stage's command `python -m stages.<script> ...`."""
    words = str(body["cmd"]).split()
    if words[:2] != ["python", "-m"] or not words[2].startswith("stages."):
        raise SystemExit(f"dvc.yaml: stage {name} runs {body['cmd']!r}; expected `python -m stages.<name> ...`")
    return words[2]


def code_of(module: str) -> list[str]:
    """The source files `module` reaches, relative to the repository, sorted."""
    return sorted(path.relative_to(ROOT).as_posix() for path in import_closure(module, by_name=True))


def main() -> int:
    layout = YAML()  # the safe loader of ruamel.yaml that keeps comments and order
    layout.width, layout.preserve_quotes = 150, True
    layout.indent(mapping=2, sequence=2, offset=0)
    document = layout.load((ROOT / "dvc.yaml").read_text())
    wrong = False
    for name, entry in document["stages"].items():
        body = entry.get("do", entry)
        wanted = code_of(stage_module(name, body))
        listed = [d for d in body.get("deps", []) if is_code(d)]
        if listed != wanted:
            wrong = True
            print(f"{name}: missing {sorted(set(wanted) - set(listed))}, superfluous {sorted(set(listed) - set(wanted))}")
            body["deps"] = [d for d in body.get("deps", []) if not is_code(d)] + wanted
    if "--write" in sys.argv:
        with open(ROOT / "dvc.yaml", "w") as handle:
            layout.dump(document, handle)
        return 0
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
