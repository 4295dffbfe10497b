"""`primus inspect TAKE`: one page or picture with everything of a take, safe, small, and one line for each mistake."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from primus.errors import UserError
from primus.inspection.draw import draw_take
from primus.inspection.take_page import take_page
from primus.inspection.takes import InspectedTake, open_recording, open_take
from primus.inspection.timeline import envelope, lanes, timeline_of
from primus.io.recording import build_recording
from primus.io.takes import Narration
from primus.schema import REJECTS, SEGMENTS
from tests.inspection.conftest import primus
from tests.inspection.document import Document


def rejects_of(project: Path, reason: str) -> pd.DataFrame:
    rejects = pd.read_parquet(project / "data" / "small" / "segments" / "rejects.parquet")
    return rejects[rejects["reason"] == reason].reset_index(drop=True)


def opened(project: Path, take_uid: str, monkeypatch: pytest.MonkeyPatch) -> InspectedTake:
    monkeypatch.chdir(project)
    return open_take(take_uid, Path("data/small"))


def long_take(seconds: float, narrations: tuple[Narration, ...] = ()) -> InspectedTake:
    """A take of 200 Hz noise with one-second segments and rejects all along."""
    times = np.arange(0, seconds, 0.005)
    rng = np.random.default_rng(0)
    recording = build_recording((times * 1e9).astype(np.int64), rng.normal(0, 1, (len(times), 3)), rng.normal(0, 1, (len(times), 3)), "noise")
    starts = np.arange(0, seconds - 5, 5)
    segments = pd.DataFrame({name: [None] * len(starts) for name in SEGMENTS.names}).assign(start_s=starts, end_s=starts + 5, policy="tile")
    return InspectedTake(
        "long", {"take_uid": "long"}, recording, times, "file", "", seconds, narrations, segments, pd.DataFrame(columns=REJECTS.names), None
    )


def test_a_take_with_a_gap_shows_signals_segments_narrations_and_rejects(segmented: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = rejects_of(segmented, "gap")
    take = opened(segmented, gaps["take_uid"][0], monkeypatch)
    assert len(take.rejects) >= len(gaps[gaps["take_uid"] == take.name])
    line = timeline_of(take, 900)
    assert [strip.axis for strip in line.strips] == list("xyzxyz")
    assert len(line.holes) == 1
    assert line.holes[0][1] - line.holes[0][0] == pytest.approx(1.2, abs=0.01)
    assert len(line.rejects) == len(gaps)
    document = Document(take_page(take))
    assert document.loads == []
    for narration in take.narrations:
        assert document.words.count(narration.text) >= 2, "in the picture and in the table"
    assert document.words.count("no sample for more than") >= 2 * len(gaps)
    assert len(line.segments) == len(take.segments) > 0


def test_the_picture_has_alternative_text_and_only_colour_blind_safe_colours(segmented: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = take_page(opened(segmented, rejects_of(segmented, "gap")["take_uid"][0], monkeypatch))
    assert re.search(r'<svg [^>]*role="img"[^>]*aria-label="[^"]*accelerometer in m/s² and gyroscope in rad/s[^"]*rejects"', page)
    assert "url(#refusals)" in page, "what is refused is hatched, not only coloured"
    assert not re.search(r'(?:fill|stroke)="#', page), "colours come from the palette's classes"


@pytest.mark.parametrize("reason", ["no_imu", "duplicate_axis", "not_in_takes"])
def test_a_refused_take_says_why(segmented: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    take = opened(segmented, rejects_of(segmented, reason)["take_uid"][0], monkeypatch)
    words = Document(take_page(take)).words
    assert reason in words
    assert (take.recording is None) == (reason != "duplicate_axis")
    assert ("Its IMU cannot be shown" in words) == (take.recording is None)


def test_what_people_wrote_is_escaped(tmp_path: Path) -> None:
    nasty = Narration(1.0, 'C opens <script>alert("1")</script> & $\\frac{1}$ </title>', "C")
    take = replace(long_take(20, (nasty,)), name="<b>take")
    document = Document(take_page(take))
    assert nasty.text in document.words
    assert "<b>take" in document.words
    draw_take(take, tmp_path / "take.png")
    with Image.open(tmp_path / "take.png") as picture:
        assert picture.size[0] == 1500


def test_half_an_hour_stays_small(tmp_path: Path) -> None:
    take = long_take(1800.0, tuple(Narration(float(second), "C does something with the thing.", "C") for second in range(0, 1800, 3)))
    page = take_page(take)
    assert len(page) < 1_500_000
    draw_take(take, tmp_path / "take.png")
    assert (tmp_path / "take.png").stat().st_size < 1_500_000
    line = timeline_of(take, 900)
    assert max(len(strip.envelope.low) for strip in line.strips) <= 900


def test_an_envelope_keeps_every_extreme() -> None:
    rng = np.random.default_rng(1)
    times, values = np.sort(rng.uniform(0, 10, 5000)), rng.normal(0, 1, 5000)
    values[1234], values[4321] = 40, -50
    found = envelope(times, values, np.linspace(0, 10, 201))
    assert (found.high.max(), found.low.min()) == (40, -50)
    for column, middle in enumerate(found.times_s):
        inside = values[(times >= middle - 0.025) & (times < middle + 0.025)]
        assert (found.low[column], found.high[column]) == (inside.min(), inside.max())
    holed = envelope(times[(times < 3) | (times > 5)], values[(times < 3) | (times > 5)], np.linspace(0, 10, 201))
    assert [round(float(run.times_s[0])) for run in holed.runs(0.05)] == [0, 5]


def test_overlapping_intervals_get_lanes() -> None:
    assert lanes([(0, 5), (1, 6), (5, 10), (5.5, 9), (6, 7)]) == [0, 1, 0, 2, 1]
    assert max(lanes([(k / 10, k / 10 + 5) for k in range(100)])) == 7


def test_the_command_draws_by_default_below_the_profile(segmented: Path) -> None:
    uid = rejects_of(segmented, "gap")["take_uid"][0]
    done = primus(segmented, "inspect", uid, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["written"] == f"data/small/inspect/{uid}.html"
    assert (segmented / facts["written"]).read_text().startswith("<!DOCTYPE html>")
    assert facts["rejects"] == {"gap": len(rejects_of(segmented, "gap"))}
    picture = primus(segmented, "inspect", uid, "--data", "data/small", "--out", "take.png")
    assert picture.returncode == 0, picture.stderr
    with Image.open(segmented / "take.png") as image:
        assert image.info["Title"] == f"Take {uid}"


def test_the_command_checks_clocks(segmented: Path) -> None:
    takes = pd.read_parquet(segmented / "data" / "small" / "segments" / "takes.parquet")
    uid = takes[takes["video_path"].notna()]["take_uid"].iloc[0]
    done = primus(segmented, "inspect", uid, "--sync", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert abs(facts["lag_ms"]) < 40
    assert {"sure", "moves", "z", "peak_to_second", "verdict"} <= set(facts)


def test_a_recording_is_drawn_where_out_says(tmp_path: Path) -> None:
    seconds = np.arange(0, 10, 0.02)
    table = pd.DataFrame({"timestamp": seconds, "acc_x": 0.1 * np.cos(seconds), "acc_y": 0.2 * np.sin(seconds), "acc_z": 9.81 + 0.01 * seconds})
    table.to_csv(tmp_path / "mine.csv", index=False)
    take = open_recording(str(tmp_path / "mine.csv"))
    assert len(timeline_of(take, 500).strips) == 3, "an accelerometer only"
    draw_take(take, tmp_path / "mine.html")
    assert "Recording mine.csv" in Document((tmp_path / "mine.html").read_text()).words
    with pytest.raises(UserError, match=r"mine\.pdf"):
        draw_take(take, tmp_path / "mine.pdf")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect",), "nothing to inspect"),
        (("inspect", "nobody"), "neither a file nor one of the"),
        (("inspect", "nobody", "--data", "data/other"), "data/other/segments/takes.parquet"),
        (("inspect", "none.csv"), "none.csv"),
        (("inspect", "nobody", "--stream", "imu-left"), "imu-left"),
        (("inspect", "nobody", "--embeddings"), "leave out the take"),
        (("inspect", "--embeddings"), "video.h5 does not exist"),
        (("inspect", "UID", "--out", "take.pdf"), "take.pdf"),
        (("inspect", "UID", "--video", "a.mp4"), "--sync"),
        (("inspect", "UID", "--sync", "--video", "a.mp4"), "a.mp4 is not a file"),
        (("inspect", "UID", "--sync", "--video", "params.yaml"), "unreadable_video"),
    ],
)
def test_mistakes_are_one_line(segmented: Path, arguments: tuple[str, ...], said: str) -> None:
    uid = rejects_of(segmented, "gap")["take_uid"][0]
    done = primus(segmented, *(uid if word == "UID" else word for word in arguments))
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
