"""The profile exists: said before anything runs, by us and with the nearest name, not by DVC about a parameter it could not find."""

from pathlib import Path

import typer

from primus.artifacts import write_json
from primus.params import load_value, profile_name
from primus.stage import stage


@stage("profile")
def main() -> None:
    """Write data/<profile>/profile.json: its name, and whether its corpus is recordings or a simulation."""
    profile = profile_name()
    write_json(Path("data") / profile / "profile.json", {"profile": profile, "corpus": load_value(f"profiles.{profile}.corpus")})


if __name__ == "__main__":
    typer.run(main)
