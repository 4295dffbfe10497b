"""What a cached result depends on: the code that made it and the files it was made from."""

import ast
import hashlib
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HASHED_BYTES = 64 * 2**20
"""Files up to this size are identified by content; larger ones by name, size and modification time."""

_PARSING = threading.Lock()  # CPython 3.11 counts the depth of the tree for all threads together: "AST constructor recursion depth mismatch"


def _source(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _imported(path: Path, package: str, root: str, by_name: bool) -> set[str]:
    """Modules below `root` that `path` imports anywhere (inside functions too, for type checkers only not), with their parents.

    With `by_name`, texts that are dotted module names below `root` count as imports too.
    """
    names: set[str] = set()
    text = path.read_text(encoding="utf-8")
    with _PARSING:
        todo: list[ast.AST] = [ast.parse(text)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            todo.extend(node.orelse)
            continue
        todo.extend(ast.iter_child_nodes(node))
        if by_name and isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{root}."):
            names.add(node.value)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    with_parents = {".".join(name.split(".")[:length]) for name in names for length in range(1, name.count(".") + 2)}
    return {name for name in with_parents if name == root or name.startswith(root + ".")}


@cache
def _closure(module: str, by_name: bool, without: frozenset[str] = frozenset()) -> dict[str, Path]:
    """Modules that `module` reaches, other than through those in `without`, and their source files; see `import_closure`."""
    found: dict[str, Path] = {}
    todo = {module, *(".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 1))}
    while todo:
        name = todo.pop()
        path = _source(name)
        if path is None or name in found or name in without:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        todo |= _imported(path, package, "primus", by_name and path.name != "__init__.py") - found.keys()
    return found


def import_closure(module: str, by_name: bool = False) -> tuple[Path, ...]:
    """Source files of the project that `module` reaches through imports, itself included, sorted by path.

    `by_name` also follows modules that a source names in a text (a registry that imports on demand), except in `__init__` files, whose lazy
    re-exports are nobody's dependency. A cache key leaves them out and adds the one that is used, so that mending one reader does not read
    every data set again; a DVC stage lists them all.

    Imports are read from the source, not executed; only modules of the same top-level package as `module`, or of `primus`, count.
    Lazy re-exports (PEP 562) are not imports: a package's `__init__` file counts, what it would load on demand does not.
    """
    return tuple(sorted(_closure(module, by_name).values()))


@cache
def code_digest(module: str, without: frozenset[str] = frozenset()) -> str:
    """sha256 over the names and contents of the module's import closure; the folder it lies in is no part of it.

    `dvc exp run --temp` and queue workers run the same code from a folder of their own.

    Args:
        module: what made the result.
        without: modules of the closure that the result does not go through, left out with what only they import.

    Raises:
        ValueError: a module left out is not in the closure, so leaving it out says nothing (was it renamed?).
    """
    if strangers := sorted(without - _closure(module, by_name=False).keys()):
        raise ValueError(f"{module} does not import {', '.join(strangers)}, which its digest is to leave out; expected modules it reaches")
    digest = hashlib.sha256()
    for name, path in sorted(_closure(module, by_name=False, without=without).items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def file_identity(path: str | Path, name: str, largest: int = HASHED_BYTES) -> str:
    """Identity of an input file called `name`: its content's sha256 up to `largest` bytes, else name, size and modification time.

    Raw recordings keep the default (terabytes are never hashed); what a stage derived is hashed whatever its size, because DVC copies it.
    """
    path = Path(path)
    status = path.stat()
    if status.st_size > largest:
        return f"{name}|{status.st_size}|{status.st_mtime_ns}"
    with open(path, "rb") as handle:
        return f"{name}|sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"
