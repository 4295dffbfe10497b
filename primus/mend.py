"""Remove what a killed DVC left half written and refuses to read: its lock file of readers and writers, and `dvc.lock`.

DVC writes both in place, so a kill at the wrong moment leaves them empty or torn, and every later command fails. Neither holds results: without
the first there is no lock, and without the second finished stages come back from DVC's run cache.
"""

import json
from pathlib import Path

import yaml


def mend(repository: Path) -> list[str]:
    """Remove unreadable state files below `repository`; returns what was removed. Sound files stay. No DVC command may be running there."""
    removed = []
    lock = repository / ".dvc" / "tmp" / "rwlock"
    if lock.is_file():
        try:
            json.loads(lock.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested without end
            lock.unlink()
            removed.append(str(lock.relative_to(repository)))
    for path in (repository / "dvc.lock", *sorted(repository.glob("data/roots/*/dvc.lock"))):
        if not path.is_file():
            continue
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            sound = isinstance(content, dict) and isinstance(content.get("stages", {}), dict)
        except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: no UTF-8, or a date that does not exist
            sound = False
        if not sound:
            path.unlink()
            removed.append(str(path.relative_to(repository)))
    return removed
