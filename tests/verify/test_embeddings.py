"""No frame is encoded twice: not after kills, and not for other windows or another pooling."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import yaml

from primus.artifacts import write_table
from primus.schema import SEGMENTS
from tests.verify.workshop import ROOT, Workshop

pytestmark = [pytest.mark.verify, pytest.mark.timeout(5400)]

TAKES, SECONDS, FPS, WORKERS = 24, 15, 10, 2

COUNTED = '''
"""The stage embed_video, slowed down, with a line in a file for every take begun and every batch encoded, also in its workers."""

import os
import time

from primus.embeddings import frames, jobs

encode, encode_video = frames._encode, jobs.encode_video


def note(*words):
    with open("counted.txt", "ab", buffering=0) as handle:
        handle.write((" ".join(map(str, words)) + "\\n").encode())


def counted_batch(encoder, pixels):
    note("batch", len(pixels))
    time.sleep(0.15)
    return encode(encoder, pixels)


def counted_take(path, *rest):
    note("take", path.name)
    return encode_video(path, *rest)


frames._encode, jobs.encode_video, jobs.WORTH_WORKERS = counted_batch, counted_take, 0

if __name__ == "__main__":
    from stages.embed_video import main

    main()
'''


def make_corpus(folder: Path) -> None:
    """One clip under many names, each a take of three segments."""
    (folder / "videos").mkdir(parents=True)
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        for number in range(SECONDS * 30):
            picture = np.roll(np.indices((96, 96)).sum(0) * 5 % 256, number, axis=1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(picture[:, :, None], 3, axis=2), format="rgb24")))
        container.mux(stream.encode())
    for number in range(TAKES):
        os.link(folder / "clip.mp4", folder / "videos" / f"take{number:02d}.mp4")


def make_workspace(folder: Path, corpus: Path) -> Path:
    rows = [
        {
            "segment_id": f"take{number:02d}_{start * 1000}", "dataset": "set", "take_uid": f"take{number:02d}", "purpose": "pretrain",
            "policy": "tile", "start_s": start, "end_s": start + 5, "texts": [], "video_path": f"take{number:02d}.mp4",
        }
        for number in range(TAKES) for start in (0, 5, 10)
    ]  # fmt: skip
    write_table(folder / "data" / "t" / "segments" / "segments.parquet", pd.DataFrame(rows).reindex(columns=SEGMENTS.names), SEGMENTS)
    params = {
        "data": "t",
        "preset": "ours",
        "compute": {"threads": 1, "workers": WORKERS},
        "embed": {
            "encoder": {"model": "primus-demo", "weights": "fixed-random", "device": "cpu"},
            "video": {"fps": FPS, "pool": "clip4clip"},
        },
        "profiles": {"t": {"datasets": {"set": {"reader": "egoexo4d", "root": str(corpus / "videos")}}}},
        "presets": {"ours": {}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "counted.py").write_text(COUNTED)
    return folder


def start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    env = os.environ | {"PRIMUS_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    with open(folder / "said.txt", "ab") as said:
        return subprocess.Popen([sys.executable, *command], cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True)


def counted(folder: Path) -> tuple[int, int]:
    """Takes begun and frames encoded so far, finished or not."""
    path = folder / "counted.txt"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return sum(kind == "take" for kind, _ in lines), sum(int(what) for kind, what in lines if kind == "batch")


def kept(folder: Path) -> int:
    return sum(1 for _ in (folder / "cache").glob("frames/*/*.entry"))


def test_kills_repeat_at_most_one_take_per_worker_each(tmp_path: Path, profile: str) -> None:
    """Each run is killed with its workers, by surprise, a random time after it has begun to encode."""
    corpus = tmp_path / "corpus"
    make_corpus(corpus)
    plain, killed = make_workspace(tmp_path / "plain", corpus), make_workspace(tmp_path / "killed", corpus)
    assert start(plain, "-m", "stages.embed_video").wait() == 0, (plain / "said.txt").read_text()
    draw, kills = random.Random(411), 4 if profile == "tiny" else 10
    hits = 0
    for _ in range(kills):
        begun, stored = counted(killed)[0], kept(killed)
        process = start(killed, "counted.py")
        while process.poll() is None and counted(killed)[0] == begun:
            time.sleep(0.02)
        try:
            process.wait(timeout=draw.uniform(0, 0.9))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            hits += 1
        time.sleep(0.3)
        assert counted(killed)[0] - begun - (kept(killed) - stored) <= WORKERS, "takes begun in this run and lost with it"
    assert start(killed, "counted.py").wait() == 0, (killed / "said.txt").read_text()
    takes, frames = counted(killed)
    each = SECONDS * FPS
    print(f"{hits} of {kills} kills met a running stage; {takes} passes over {TAKES} takes, {frames} frames encoded of {TAKES * each}")
    assert hits >= kills - 2
    assert TAKES * each <= frames <= (TAKES + hits * WORKERS) * each
    assert TAKES <= takes <= TAKES + hits * WORKERS
    for name in ("data/t/embeddings/video.h5", "metrics/embed_video.json"):
        assert (killed / name).read_bytes() == (plain / name).read_bytes(), name
    assert json.loads((killed / "metrics" / "embed_video.json").read_text())["frames"]["encoded"] == TAKES * each
    assert [path.name for path in (killed / "data" / "t" / "embeddings").iterdir()] == ["video.h5"]


@pytest.mark.parametrize("setting", ["segment.stride_s=2.5", "segment.window_s=4.0", "segment.merge_s=2.0", "embed.video.pool=published"])
def test_other_windows_or_pooling_encode_no_frame(finished: Workshop, setting: str) -> None:
    encoded = finished.json("metrics/embed_video.json")["frames"]["encoded"]
    done = finished.dvc("exp", "run", "--temp", "-S", setting, "embed_video")
    said = re.search(r"embed_video: (\d+) frames encoded, (\d+) reused", done.stdout)
    assert said, done.stdout
    print(f"{setting}: {said[0]}")
    assert (int(said[1]), int(said[2])) == (0, encoded)
