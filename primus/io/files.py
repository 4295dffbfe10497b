"""A dataset's files as names and sizes below one root. Names come from data, so nothing here ever leaves the root."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from primus.errors import UserError


@dataclass(frozen=True)
class FileSet:
    """The files of one dataset.

    Attributes:
        root: folder that the names are relative to.
        sizes: relative POSIX name -> size in bytes; a name that is not here does not exist for the readers.
    """

    root: Path
    sizes: Mapping[str, int] = field(repr=False)

    @classmethod
    def scan(cls, root: Path) -> "FileSet":
        """List every file below `root`, hidden ones left out, linked folders followed once.

        Raises:
            UserError: `root` is not a folder, or a folder below it cannot be listed.
        """
        if not root.is_dir():
            raise UserError(f"{root} is not a folder; expected the root of a dataset")
        sizes: dict[str, int] = {}
        visited: set[str] = set()
        for folder, subfolders, names in os.walk(root, onerror=_unreadable, followlinks=True):
            real = os.path.realpath(folder)
            subfolders[:] = [] if real in visited else sorted(name for name in subfolders if not name.startswith("."))
            if real in visited:
                continue
            visited.add(real)
            for name in sorted(names):
                path = Path(folder, name)
                if not name.startswith(".") and path.is_file():
                    sizes[path.relative_to(root).as_posix()] = path.stat().st_size
        return cls(root, dict(sorted(sizes.items())))

    def has(self, name: str | None) -> bool:
        """Whether `name` is a file of the set; False for None and for names that point outside the root."""
        return name is not None and name in self.sizes and not _escapes(name)

    def path(self, name: str) -> Path:
        """Where `name` lies.

        Raises:
            UserError: it points outside the root, or is not a file of the set.
        """
        if _escapes(name):
            raise UserError(f"{name!r} points outside {self.root}; expected a name relative to it")
        if name not in self.sizes:
            raise UserError(f"{self.root} has no {name}; expected it there (a file added since the manifest was made? rerun the manifest stage)")
        return self.root / name

    def size(self, name: str) -> int:
        """Size in bytes of a file of the set."""
        return self.sizes[name]

    def names(self, suffix: str | tuple[str, ...] = "", under: str = "") -> list[str]:
        """Sorted names that end with `suffix` (any case) and lie in the folder `under`."""
        ends = (suffix,) if isinstance(suffix, str) else suffix
        lowered = tuple(end.lower() for end in ends)
        folder = under.rstrip("/") + "/" if under else ""
        return sorted(name for name in self.sizes if name.startswith(folder) and name.lower().endswith(lowered))

    def first(self, candidates: Iterable[str]) -> str | None:
        """The first of `candidates` that is a file of the set, or None."""
        return next((name for name in candidates if self.has(name)), None)


REMEDY = "put the recordings there, or take the dataset out of the profile in params.yaml"


def resolve_root(spec: str, dvc_root: Path) -> Path:
    """The folder a dataset's `root` setting names.

    `$NAME` or `$NAME/sub` is read from the environment, and a relative value there is taken from `dvc_root` (experiments run in a copy elsewhere,
    and the variable was set beside the repository). Any other setting is a path of the pipeline itself, relative to the working folder.

    Raises:
        UserError: the variable is not set, or the folder is missing or empty.
    """
    if spec.startswith("$"):
        name, _, below = spec[1:].partition("/")
        name = name.strip("{}")
        value = os.environ.get(name, "")
        if not value:
            raise UserError(f"environment variable {name} is not set; expected the folder of the dataset (export {name}=/path/to/it)")
        root = dvc_root / Path(value).expanduser() / below
        origin = f" (from {name}={value})"
    else:
        root, origin = Path(spec), ""
    if not root.is_dir():
        raise UserError(
            f"dataset root {root}{origin} is not a folder; expected the recordings there, or take the dataset out of the profile in params.yaml"
        )
    if not any(root.iterdir()):
        raise UserError(f"dataset root {root}{origin} is empty; {REMEDY}")
    return root


def _unreadable(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be listed ({error.strerror}); make it readable") from error


def _escapes(name: str) -> bool:
    parts = PurePosixPath(name)
    return not name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name
