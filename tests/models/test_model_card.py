"""The card beside the weights: it says what is known, and that the rest is not."""

from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, ModelHubMixin

from primus.models.encoder import ImuEncoder, InputContract
from primus.models.model_card import model_card

SIMULATED = {
    "method": "primus",
    "profile": "demo",
    "simulated": True,
    "objective": {"lambda_ss": 1.0, "nn": {"retrieval": "video"}},
    "parameters": {"batch_size": 128},
    "metrics": {"val": {"total": 1.25}},
    "train_segments": 1224,
}


def test_the_card_lies_beside_the_weights_and_states_the_run(tmp_path: Path) -> None:
    encoder = ImuEncoder(feature_dim=8, projection_dim=8, inputs=InputContract(rate_hz=100, window_s=2.5))
    encoder.save_pretrained(tmp_path, **SIMULATED)
    card = (tmp_path / "README.md").read_text()
    for said in ("(N, 6, 250)", "100 Hz", "m/s^2, with gravity", "rad/s", "| nn.retrieval | video |", "| val.total | 1.25 |", "| batch_size | 128 |"):
        assert said in card
    assert "| train_segments | 1224 |" in card
    assert "corpus is simulated" in card
    assert ModelCard(card).data.license == "apache-2.0"
    again = ImuEncoder.from_pretrained(tmp_path)
    again.save_pretrained(tmp_path / "copy")
    assert (tmp_path / "copy" / "README.md").read_text() == card


@pytest.mark.parametrize(
    ("training", "said", "licence"),
    [
        ({}, "Data: not recorded", "other"),
        ({"profile": "egoexo4d", "simulated": False}, "Real recordings", "other"),
        ({"method": "released"}, "the paper's authors released", "cc-by-4.0"),
    ],
)
def test_what_is_unknown_is_said_to_be(training: dict[str, object], said: str, licence: str) -> None:
    card = model_card(ImuEncoder(feature_dim=8, heads=False), training)
    assert said in card
    assert "No measurement came with these weights" in card
    assert yaml.safe_load(card.split("---")[1])["license"] == licence
    assert "simulated**" not in card


def test_cells_cannot_break_the_table() -> None:
    assert "| a\\|b c |" in model_card(ImuEncoder(feature_dim=8), {"note": "a|b\nc"})


def test_the_hub_mixin_saves_what_save_pretrained_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`push_to_hub` hands its temporary folder to `save_pretrained`; nothing is sent here."""
    encoder = ImuEncoder(feature_dim=8, projection_dim=8)
    assert isinstance(encoder, ModelHubMixin)
    sent: dict[str, list[str]] = {}

    class Api:
        def __init__(self, token: object = None) -> None:
            pass

        def create_repo(self, repo_id: str, **options: object) -> object:
            return type("Repository", (), {"repo_id": repo_id})

        def upload_folder(self, repo_id: str, folder_path: Path, **options: object) -> str:
            sent[repo_id] = sorted(path.name for path in Path(folder_path).iterdir())
            return repo_id

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    encoder.push_to_hub("someone/imu")
    assert sent == {"someone/imu": ["README.md", "config.json", "model.safetensors"]}


def test_hub_models_are_fetched_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ImuEncoder(feature_dim=8, projection_dim=8).save_pretrained(tmp_path, method="primus")
    asked: list[tuple[str, str, object, object]] = []

    def download(repo_id: str, name: str, revision: str | None = None, **options: object) -> str:
        asked.append((repo_id, name, revision, options.get("local_files_only")))
        return str(tmp_path / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    encoder = ImuEncoder.from_pretrained("someone/imu", revision="v1", local_files_only=True)
    assert encoder.metadata == {"method": "primus"}
    assert asked == [("someone/imu", "config.json", "v1", True), ("someone/imu", "model.safetensors", "v1", True)]
