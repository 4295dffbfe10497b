"""CITATION.cff says what the package says."""

import tomllib

import yaml

from tests.conftest import ROOT


def test_the_citation_names_this_version_its_licence_and_the_paper() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    (paper,) = cited["references"]
    readme = (ROOT / "README.md").read_text()
    assert paper["identifiers"][0]["value"] in readme
    for author in paper["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in readme


def test_every_tested_python_is_a_classifier() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [name.rpartition(" ")[2] for name in classifiers if name.startswith("Programming Language :: Python :: 3.")]
    assert named == ["3.11", "3.12", "3.13"]
    setup = (ROOT / ".ci" / "setup").read_text()
    assert 'tested() { between "$1" 11 13; }' in setup
    assert all(f"python{version}" in setup for version in named)
