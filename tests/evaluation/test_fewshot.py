"""What a sweep must do whatever the encoder: chance on shuffled labels, perfection on the labels themselves, no gain from leaks unseen."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from primus.evaluation.episodes import draw_episodes
from primus.evaluation.fewshot import Scored, score_task
from primus.evaluation.probes.choose import ProbeName, choose_probe
from primus.evaluation.probes.standardise import Statistics
from primus.evaluation.tables import completeness, confusion_tensor, estimate_curves, fit_rows, prediction_counts, score_table
from primus.evaluation.tasks import Task, build_tasks
from primus.seeds import generator

Corpus = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
Features = Callable[..., np.ndarray]
SHOTS = (1, 5, 20)


def run(
    task: Task, features: pd.DataFrame, *, probe: ProbeName = "logistic", standardise: Statistics = "pool", episodes: int = 4, seed: int = 0
) -> list[Scored]:
    """Score features given as a table indexed by segment_id."""
    drawn = draw_episodes(task.pool, unit="nonoverlapping", episodes=episodes, most=max(SHOTS), seed=seed, names=(task.dataset, task.fold))
    pool, test = (features.loc[table["segment_id"]].to_numpy() for table in (task.pool, task.test))
    return score_task(task, pool, test, episodes=drawn, shots=SHOTS, probe=choose_probe(probe, c=1.0, neighbours=3), standardise=standardise)


def keyed(segments: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=segments["segment_id"])


@pytest.mark.parametrize("probe", ["logistic", "knn", "prototype"])
@pytest.mark.parametrize("standardise", ["pool", "shots", "none"])
def test_features_that_are_the_labels_score_one(corpus: Corpus, probe: ProbeName, standardise: Statistics) -> None:
    segments, splits = corpus()
    (task,) = build_tasks(segments, splits)
    one_hot = pd.get_dummies(segments["label"]).to_numpy(np.float32)
    first = 1 if probe != "knn" else 2  # three neighbours of one shot per class are all three classes
    for scored in run(task, keyed(segments, one_hot), probe=probe, standardise=standardise)[first - 1 :]:
        assert fit_rows(task, "m", "feature", "h", 0, scored)["accuracy"].eq(1.0).all()


def test_shuffled_labels_score_chance_within_their_interval(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus(people=12, takes=3)
    shuffled = segments.assign(label=generator(5, "labels").permutation(segments["label"].to_numpy()))
    (task,) = build_tasks(shuffled, splits)
    scored = run(task, keyed(segments, features_of(segments, strength=2.0)))
    counts = pd.concat([prediction_counts(task, "m", "feature", "h", 0, size) for size in scored])
    curves = estimate_curves(counts, replicates=400, seed=0)
    for shots in SHOTS:
        found = curves["walks", "m", "feature", "h"][shots]["accuracy"]
        assert found.lo <= 1 / 3 <= found.hi, f"{shots} shots: {found}"
        assert 0.25 < found.mean < 0.42
    (honest,) = build_tasks(segments, splits)
    learned = run(honest, keyed(segments, features_of(segments, strength=2.0)))[-1]
    assert fit_rows(honest, "m", "feature", "h", 0, learned)["accuracy"].mean() > 0.8


def test_more_shots_help_and_the_whole_test_set_is_scored(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus(people=8, takes=3)
    (task,) = build_tasks(segments, splits)
    rows = pd.concat([fit_rows(task, "m", "feature", "h", 0, s) for s in run(task, keyed(segments, features_of(segments, strength=0.7)), episodes=8)])
    means = rows.groupby("shots")["accuracy"].mean()
    assert means[1] < means[5] < means[20]
    assert (rows["n_test"] == len(task.test)).all()
    assert (rows["n_participants"] == 4).all()
    assert (rows["n_train"] == rows["shots"] * 3).all()
    assert rows["complete"].all()


def test_a_class_with_too_few_shots_is_named_never_cut(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus()
    rare = segments[(segments["label"] != "dance") | (segments.groupby(["participant", "label"]).cumcount() < 1)]
    (task,) = build_tasks(rare, splits)
    assert (task.pool["label"] == "dance").sum() == 3
    rows = pd.concat([fit_rows(task, "m", "feature", "h", 0, s) for s in run(task, keyed(segments, features_of(segments)))])
    at = rows.set_index("shots")
    assert at.loc[1, "complete"].all()
    assert not at.loc[5, "complete"].any()
    assert (at.loc[5, "short_classes"] == "dance").all()
    assert (at.loc[5, "n_train"] == 5 + 5 + 3).all()


def test_a_class_the_pool_lacks_counts_as_wrong(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus()
    tested = set(splits.loc[splits["split"] == "test", "take_uid"])
    (task,) = build_tasks(segments[(segments["label"] != "dance") | segments["take_uid"].isin(tested)], splits)
    scored = run(task, keyed(segments, features_of(segments, strength=5.0)))[-1]
    dance = task.classes.index("dance")
    assert scored.confusion[..., dance].sum() == 0
    assert scored.confusion[:, :, dance].sum() == 4 * (task.test["label"] == "dance").sum()


def test_a_class_the_pool_lacks_leaves_every_number_of_shots_incomplete(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus()
    tested = set(splits.loc[splits["split"] == "test", "take_uid"])
    (task,) = build_tasks(segments[(segments["label"] != "dance") | segments["take_uid"].isin(tested)], splits)
    rows = pd.concat([fit_rows(task, "m", "feature", "h", 0, s) for s in run(task, keyed(segments, features_of(segments)))])
    assert not rows["complete"].any()
    assert (rows["short_classes"] == "dance").all()
    assert not any(completeness(rows).values())


def test_equal_inputs_give_equal_results(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus()
    (task,) = build_tasks(segments, splits)
    features = keyed(segments, features_of(segments))
    for a, b in zip(run(task, features), run(task, features.sample(frac=1, random_state=1)), strict=True):
        np.testing.assert_array_equal(a.confusion, b.confusion)
    assert any((a.confusion != b.confusion).any() for a, b in zip(run(task, features), run(task, features, seed=1), strict=True))


def test_a_leaky_split_would_inflate_the_score(corpus: Corpus, features_of: Features) -> None:
    """The same features scored honestly and with each person's takes on both sides: person offsets alone make the leak pay."""
    segments, splits = corpus(people=6, takes=2, each=20)
    rng = generator(0, "clusters")
    habit = {(p, c): rng.normal(size=16) * 3 for p in sorted(set(segments["participant"])) for c in sorted(set(segments["label"]))}
    personal = np.stack([habit[key] for key in zip(segments["participant"], segments["label"], strict=True)])
    features = keyed(segments, features_of(segments, strength=0.2) + personal)
    (honest,) = build_tasks(segments, splits)
    by_take = segments.assign(participant=segments["take_uid"])  # what a split by take pretends
    takes_apart = splits.assign(participant=splits["take_uid"], split=splits["take_uid"].str.endswith("t0").map({True: "test", False: "shots"}))
    (leaky,) = build_tasks(by_take, takes_apart)
    scores = [fit_rows(task, "m", "feature", "h", 0, run(task, features)[-1])["accuracy"].mean() for task in (honest, leaky)]
    assert scores[1] > scores[0] + 0.2


def test_tables_hold_every_prediction_and_folds_add_up(corpus: Corpus, features_of: Features) -> None:
    segments, splits = corpus(people=6, folds=3)
    features = keyed(segments, features_of(segments))
    rows, counts = [], []
    for task in build_tasks(segments, splits):
        for scored in run(task, features):
            rows.append(fit_rows(task, "m", "feature", "h", 0, scored))
            counts.append(prediction_counts(task, "m", "feature", "h", 0, scored))
    fits, table = pd.concat(rows), pd.concat(counts)
    assert table.groupby(["shots", "episode"])["count"].sum().eq(len(segments)).all()
    curves = estimate_curves(table, replicates=50, seed=0)
    points = curves["walks", "m", "feature", "h"]
    at5 = fits[fits["shots"] == 5]
    np.testing.assert_allclose(points[5]["accuracy"].mean, at5["accuracy"].mean())  # folds of equal size here
    tensor = confusion_tensor(table[table["shots"] == 5], sorted(set(segments["label"])), sorted(set(segments["participant"])))
    assert tensor.shape == (1, 4, 6, 3, 3)
    scores = score_table(curves, completeness(fits), {"m": ("feature", "h")})
    assert scores["shots"].tolist() == list(SHOTS)
    assert (scores["accuracy_lo"] <= scores["accuracy"]).all()
    assert (scores["accuracy"] <= scores["accuracy_hi"]).all()
