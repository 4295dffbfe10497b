"""The profile exists: said before anything runs, by us and with the nearest name, not by DVC about a parameter it could not find."""

from pathlib import Path

import typer

from primus.artifacts import write_json
from primus.errors import UserError
from primus.params import load_datasets, load_value, profile_name
from primus.stage import stage


def require_roots(profile: str) -> None:
    """UserError unless data/roots/<profile> holds what DVC looks for there, which depends on where the profile's recordings lie."""
    folder = Path("data") / "roots" / profile
    outside = any(str(config["root"]).startswith("$") for config in load_datasets().values())
    if outside and not (folder / "dvc.yaml").exists():
        raise UserError(
            f"{folder}/dvc.yaml does not exist, so DVC would not see when the recordings of profile {profile} change;"
            f" copy data/roots/own/dvc.yaml there and write {profile} for `own` in its three places"
        )
    if not outside and not (folder / "roots.json").exists():
        raise UserError(f"{folder}/roots.json does not exist; copy data/roots/demo/roots.json there: all it reads is made by the pipeline")


@stage("profile")
def main() -> None:
    """Write data/<profile>/profile.json: its name, and whether its corpus is recordings or a simulation."""
    profile = profile_name()
    require_roots(profile)
    write_json(Path("data") / profile / "profile.json", {"profile": profile, "corpus": load_value(f"profiles.{profile}.corpus")})


if __name__ == "__main__":
    typer.run(main)
