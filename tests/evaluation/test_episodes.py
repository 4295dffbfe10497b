import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.errors import UserError
from primus.evaluation.episodes import ShotsUnit, draw_episodes

UNITS: tuple[ShotsUnit, ...] = ("segment", "nonoverlapping", "take")


@st.composite
def pools(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(1, 40))
    rows = []
    for index in range(count):
        start = draw(st.integers(0, 60)) / 2
        rows.append(
            {
                "segment_id": f"s{index:03d}",
                "take_uid": draw(st.sampled_from(["t0", "t1", "t2"])),
                "start_s": start,
                "end_s": start + draw(st.sampled_from([2.5, 5.0])),
                "label": draw(st.sampled_from(["a", "b", "c"])),
            }
        )
    return pd.DataFrame(rows)


@settings(max_examples=60, deadline=None)
@given(pool=pools(), unit=st.sampled_from(UNITS), seed=st.integers(0, 5))
def test_shots_are_nested_and_of_their_class(pool: pd.DataFrame, unit: ShotsUnit, seed: int) -> None:
    for episode in draw_episodes(pool, unit=unit, episodes=2, most=10, seed=seed, names=("set", 0)):
        assert sorted(episode.order) == sorted(set(pool["label"]))
        before: set[int] = set()
        for shots in (1, 2, 5, 10):
            rows = episode.rows(shots)
            assert len(rows) == len(set(rows.tolist())), "a segment was drawn twice"
            assert before <= set(rows.tolist()), "a larger set of shots must contain the smaller one"
            before = set(rows.tolist())
            for label, draws in episode.order.items():
                assert all((pool["label"].to_numpy()[shot] == label).all() for shot in draws)
                assert (len(draws) < shots) == (label in episode.short_classes(shots))


@settings(max_examples=60, deadline=None)
@given(pool=pools(), seed=st.integers(0, 5))
def test_nonoverlapping_shots_share_no_time(pool: pd.DataFrame, seed: int) -> None:
    (episode,) = draw_episodes(pool, unit="nonoverlapping", episodes=1, most=100, seed=seed, names=("set",))
    for label, draws in episode.order.items():
        chosen = pool.iloc[np.concatenate(draws)]
        for _, take in chosen.groupby("take_uid"):
            ordered = take.sort_values("start_s")
            assert (ordered["start_s"].to_numpy()[1:] >= ordered["end_s"].to_numpy()[:-1]).all()
        # nothing that would still fit was left out
        for _, row in pool[pool["label"] == label].iterrows():
            here = chosen[chosen["take_uid"] == row["take_uid"]]
            assert ((here["start_s"] < row["end_s"]) & (here["end_s"] > row["start_s"])).any()


@settings(max_examples=30, deadline=None)
@given(pool=pools(), unit=st.sampled_from(UNITS), order=st.randoms())
def test_the_order_of_the_table_does_not_matter(pool: pd.DataFrame, unit: ShotsUnit, order: object) -> None:
    rows = list(range(len(pool)))
    order.shuffle(rows)  # type: ignore[attr-defined]
    shuffled = pool.iloc[rows].reset_index(drop=True)
    (a,) = draw_episodes(pool, unit=unit, episodes=1, most=5, seed=1, names=("set",))
    (b,) = draw_episodes(shuffled, unit=unit, episodes=1, most=5, seed=1, names=("set",))
    for shots in (1, 3):
        assert pool["segment_id"].to_numpy()[a.rows(shots)].tolist() == shuffled["segment_id"].to_numpy()[b.rows(shots)].tolist()


def test_take_unit_gives_all_of_a_takes_segments_of_the_class() -> None:
    pool = pd.DataFrame(
        {"segment_id": list("abcdef"), "take_uid": ["t", "t", "t", "u", "u", "u"], "start_s": 0.0, "end_s": 5.0, "label": list("xxyxyy")}
    )
    (episode,) = draw_episodes(pool, unit="take", episodes=1, most=9, seed=0, names=())
    assert sorted(len(shot) for shot in episode.order["x"]) == [1, 2]
    assert set(episode.rows(2).tolist()) == set(range(6))
    assert episode.short_classes(2) == []
    assert episode.short_classes(3) == ["x", "y"]


def test_draws_depend_on_seed_name_and_episode_and_on_nothing_else() -> None:
    pool = pd.DataFrame({"segment_id": [f"{i:03d}" for i in range(90)], "take_uid": "t", "start_s": np.arange(90.0), "end_s": np.arange(90.0) + 1})
    pool["label"] = np.repeat(["x", "y", "z"], 30)

    def first(seed: int, name: str, table: pd.DataFrame = pool) -> list[list[str]]:
        drawn = draw_episodes(table, unit="segment", episodes=2, most=10, seed=seed, names=(name,))
        return [table["segment_id"].to_numpy()[np.concatenate(episode.order["x"])].tolist() for episode in drawn]

    assert first(0, "a") == first(0, "a")
    assert first(0, "a")[0] != first(0, "a")[1]
    assert first(0, "a") != first(1, "a") != first(1, "b")
    without_z = pool[pool["label"] != "z"].reset_index(drop=True)
    assert first(0, "a", without_z) == first(0, "a"), "another class must not change this class's shots"


def test_an_empty_pool_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="walks/2"):
        draw_episodes(pd.DataFrame({"label": []}), unit="segment", episodes=1, most=1, seed=0, names=("walks", 2))
