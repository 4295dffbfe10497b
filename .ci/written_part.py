"""What scripts that write a part of a page by hand share: put it in place, or say that it is not what it should be."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def keep(page: Path, made: Callable[[str], str], wrong: str, description: str) -> int:
    """The script's exit status: with `--write` the page is written as `made` makes it of its text, without it 1 and `wrong` where it differs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true")
    found = page.read_text(encoding="utf-8")
    wanted = made(found)
    if parser.parse_args().write:
        page.write_text(wanted, encoding="utf-8")
    elif found != wanted:
        print(f"{wrong}; run `make docs`", file=sys.stderr)
        return 1
    return 0
