"""The heads beyond the three old ones: the published protocol, the forest, and fine-tuning."""

import math
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from primus.evaluation.finetune import FinetuneSettings, chosen_rate, class_scores, finetuned_scores, train_classifier
from primus.evaluation.probes.forest import ForestProbe
from primus.evaluation.probes.probe import ShotBatch
from primus.evaluation.probes.sgd import SgdProbe, SgdSettings, schedule
from primus.evaluation.probes.standardise import unit_rows
from primus.models.encoder import ImuEncoder, InputContract
from primus.seeds import derived_seed, generator


def clusters(episodes: int, each: int, classes: int, width: int, spread: float = 1.0, seed: int = 0) -> tuple[ShotBatch, torch.Tensor, np.ndarray]:
    """Shots, test features (1, 300, width) and their classes: Gaussian clusters."""
    rng = generator(seed, "clusters")
    centres = rng.normal(size=(classes, width)) * 2
    labels = np.tile(np.repeat(np.arange(classes), each), (episodes, 1))
    truth = np.arange(300) % classes
    features = centres[labels] + spread * rng.normal(size=(*labels.shape, width))
    weights = torch.ones(labels.shape, dtype=torch.float64)
    test = torch.from_numpy(centres[truth] + spread * rng.normal(size=(300, width)))[None]
    return ShotBatch(torch.from_numpy(features), torch.from_numpy(labels), weights, classes), test, truth


def test_sgd_is_torchs_own_training_of_a_linear_layer() -> None:
    """The written-out gradient, batched over episodes, against autograd on one episode."""
    shots, test, _ = clusters(2, 7, 3, 6)
    shots = ShotBatch(unit_rows(shots.features), shots.labels, shots.weights, 3)
    settings = SgdSettings(lr=0.05, epochs=6, batch_size=8)
    probe = SgdProbe(settings, seed=3)
    found = probe(shots, test)
    for episode in range(2):
        layer = torch.nn.Linear(6, 3).double()
        with torch.no_grad():
            layer.weight.copy_(probe._begin(1, 3, 6)[0])
            layer.bias.zero_()
        optimiser = torch.optim.AdamW(layer.parameters(), lr=0.05, weight_decay=settings.weight_decay)
        steps, step = int(21 / 8 * 6), 0
        for epoch in range(6):
            draw = torch.Generator().manual_seed(derived_seed(3, "sgd", "order", 21, epoch))
            for rows in torch.randperm(21, generator=draw).split(8):
                optimiser.param_groups[0]["lr"] = 0.05 * schedule(step, steps)
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(layer(shots.features[episode, rows]), shots.labels[episode, rows]).backward()
                optimiser.step()
                step += 1
        torch.testing.assert_close(found[episode], layer(test[0]).detach(), atol=1e-9, rtol=1e-9)


def test_the_published_schedule_warms_up_for_ten_steps_and_ends_near_zero() -> None:
    assert [schedule(step, 300) for step in (0, 9)] == [pytest.approx(0.1), 1.0]
    assert schedule(155, 300) == pytest.approx(0.5)
    assert schedule(299, 300) < 1e-4
    assert schedule(14, 2000) == pytest.approx(0.75), "a hundredth of the steps, where that is more than ten"


def test_the_published_head_hardly_moves_from_where_it_starts() -> None:
    """Spec of the released script: 20 epochs of 1e-4 on five shots change weights of unit length by a few per cent only."""
    shots, _, _ = clusters(1, 5, 8, 512)
    shots = ShotBatch(unit_rows(shots.features), shots.labels, shots.weights, 8)
    start = unit_rows(torch.from_numpy(generator(0, "prompts").normal(size=(8, 512))))
    weights, _ = SgdProbe(SgdSettings(), start=start)._train(shots.features, shots.labels, 8)
    moved = (weights[0] - start).norm() / start.norm()
    assert 0.001 < moved < 0.05


def test_sgd_keeps_the_epoch_that_validates_best() -> None:
    shots, test, truth = clusters(1, 6, 3, 6)
    shots, test = ShotBatch(unit_rows(shots.features), shots.labels, shots.weights, 3), unit_rows(test)
    wrong = torch.from_numpy((truth + 1) % 3)  # the worse the head, the better it validates: the first look wins
    settings = SgdSettings(lr=0.5, epochs=25)
    first = SgdProbe(SgdSettings(lr=0.5, epochs=25), validation=(test[0], wrong))(shots, test)
    last = SgdProbe(settings)(shots, test)
    assert (last[0].argmax(dim=1).numpy() == truth).mean() > 0.9
    assert not torch.equal(first, last)
    right = SgdProbe(settings, validation=(test[0], torch.from_numpy(truth)))(shots, test)
    assert (right[0].argmax(dim=1).numpy() == truth).mean() >= (last[0].argmax(dim=1).numpy() == truth).mean()


def test_the_forest_is_as_good_as_scikit_learns_and_repeats() -> None:
    shots, test, truth = clusters(2, 15, 4, 10, spread=2.5)
    found = ForestProbe(trees=60)(shots, test).argmax(dim=2).numpy()
    theirs = RandomForestClassifier(60, random_state=0).fit(shots.features[0].numpy(), shots.labels[0].numpy())
    ours, reference = (found[0] == truth).mean(), (theirs.predict(test[0].numpy()) == truth).mean()
    assert reference > 0.6
    assert abs(ours - reference) < 0.08
    np.testing.assert_array_equal(found, ForestProbe(trees=60)(shots, test).argmax(dim=2).numpy())


@pytest.fixture
def encoder() -> ImuEncoder:
    torch.manual_seed(0)
    return ImuEncoder(feature_dim=16, projection_dim=8, inputs=InputContract(rate_hz=50.0, window_s=2.6))


def rhythms(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (N, 6, 130) whose class is their frequency."""
    rng = generator(seed, "rhythms")
    labels = np.arange(count) % 3
    time = np.arange(130) / 50
    waves = np.sin(2 * np.pi * 2.0 ** labels[:, None, None] * time + rng.uniform(0, 6, size=(count, 6, 1)))
    return (waves + 0.2 * rng.normal(size=(count, 6, 130))).astype(np.float32), labels


def test_finetuning_learns_what_the_frozen_encoder_does_not_show(encoder: ImuEncoder) -> None:
    (shots, labels), (test, truth) = rhythms(48, 0), rhythms(90, 1)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    settings = FinetuneSettings(steps=60, batch_size=24, lr=(0.02,))
    scores = finetuned_scores(encoder, shots, labels, 3, test, settings, ("set", 0), 0)
    assert (scores.argmax(dim=1).numpy() == truth).mean() > 0.7
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items()), "the given encoder was changed"
    again = finetuned_scores(encoder, shots, labels, 3, test, settings, ("set", 0), 0)
    assert torch.equal(scores, again)
    assert not torch.equal(scores, finetuned_scores(encoder, shots, labels, 3, test, settings, ("set", 0), 1))


def test_finetuning_in_bfloat16_is_that_in_float32_rounded(encoder: ImuEncoder) -> None:
    (shots, labels), (test, truth) = rhythms(48, 0), rhythms(90, 1)
    imu, targets = torch.from_numpy(shots), torch.from_numpy(labels)

    def trained(precision: Literal["float32", "bfloat16"], lr: float, steps: int) -> Tensor:
        settings = FinetuneSettings(batch_size=24, precision=precision)
        model = train_classifier(encoder, imu, targets, 3, lr=lr, steps=steps, settings=settings, seed=0)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert model(imu[:2], precision).dtype == torch.float32
        return class_scores(model, test)

    exact, rounded = trained("float32", 0.001, 3), trained("bfloat16", 0.001, 3)
    assert not torch.equal(exact, rounded), "the precision had no effect"
    assert float((exact - rounded).norm() / exact.norm()) < 0.05
    assert (trained("bfloat16", 0.02, 60).argmax(dim=1).numpy() == truth).mean() > 0.7


def test_the_rate_is_chosen_on_held_out_shots_only(encoder: ImuEncoder) -> None:
    shots, labels = (torch.from_numpy(part) for part in rhythms(24, 0))
    settings = FinetuneSettings(steps=40, lr=(1e-7, 0.003), trial_share=1.0)
    assert chosen_rate(encoder, shots, labels, 3, settings, 0) == 0.003
    single = chosen_rate(encoder, shots[:3], labels[:3], 3, FinetuneSettings(lr=(0.1, 0.2, 0.3)), 0)
    assert single == 0.2, "one shot a class leaves nothing to choose on: the middle one"


def test_an_epoch_budget_replaces_steps(encoder: ImuEncoder) -> None:
    assert FinetuneSettings(steps=7).budget(1000) == 7
    assert FinetuneSettings(passes=20).budget(16) == 100
    assert FinetuneSettings(passes=20).budget(400) == 20 * 13, "many shots are gone through as often as the published schedule does"
    assert FinetuneSettings(epochs=20, batch_size=256).budget(300) == 40
    assert FinetuneSettings(epochs=20, batch_size=256).budget(5) == 20


def test_before_any_step_all_classes_are_alike(encoder: ImuEncoder) -> None:
    shots, labels = (torch.from_numpy(part) for part in rhythms(6, 0))
    model = train_classifier(encoder, shots, labels, 3, lr=0.1, steps=0, settings=FinetuneSettings(), seed=0)
    scores = class_scores(model, shots.numpy())
    assert scores.shape == (6, 3)
    assert scores.abs().max() == 0
    assert math.isclose(float(torch.softmax(scores, 1)[0, 0]), 1 / 3)
