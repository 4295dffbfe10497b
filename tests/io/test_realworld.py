"""RealWorld2016: every documented quirk has its fixture, and damaged or hostile archives cost a take, never the run."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primus.errors import Rejected, UserError
from primus.io import archives
from primus.io.datasets import open_dataset
from primus.io.files import FileSet
from primus.io.realworld import RealWorldDataset
from primus.io.takes import Take
from tests.io import realworld_tree as tree


def dataset(root: Path, **config: Any) -> RealWorldDataset:
    return RealWorldDataset("realworld", config, FileSet.scan(root))


def uids(root: Path, **config: Any) -> list[str]:
    return [take.take_uid for take in dataset(root, **config).takes()[0]]


def only(root: Path, **config: Any) -> Take:
    (take,), rejects = dataset(root, **config).takes()
    assert rejects == []
    return take


def refused(root: Path, **config: Any) -> list[tuple[str, str]]:
    return [(reject.take_uid, reject.reason) for reject in dataset(root, **config).takes()[1]]


def both(root: Path, proband: int, activity: str, acc: Any, gyr: Any) -> None:
    tree.write(root, proband, "acc", activity, acc)
    tree.write(root, proband, "gyr", activity, gyr)


def test_a_take_of_the_plain_kind(tmp_path: Path) -> None:
    both(tmp_path, 3, "walking", tree.members("acc", "walking"), tree.members("gyr", "walking"))
    tree.write(tmp_path, 3, "mag", "walking", b"never opened")
    reader = open_dataset("realworld", {"reader": "realworld"}, FileSet.scan(tmp_path))
    (take,), rejects = reader.takes()
    assert rejects == []
    assert (take.take_uid, take.label, take.participant) == ("proband3_walking_1", "walking", "realworld2016/proband3")
    assert take.imu_path == "proband3/data/acc_walking_csv.zip::acc_walking_head.csv"
    assert reader.files(take) == ["proband3/data/acc_walking_csv.zip", "proband3/data/gyr_walking_csv.zip"]
    imu = reader.read_imu(take)
    assert imu.clock == "file"
    assert imu.origin_ns == imu.recording.timestamps_ns[0] == tree.EPOCH_MS * 1_000_000
    assert imu.recording.notes == {}
    seconds = (imu.recording.timestamps_ns - imu.origin_ns) * 1e-9
    np.testing.assert_allclose(imu.recording.accel, tree.acceleration(seconds), atol=1e-6)
    np.testing.assert_allclose(imu.recording.gyro, tree.rotation(seconds), atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("proband", [4, 7, 14])
@pytest.mark.parametrize("activity", ["climbingup", "climbingdown"])
def test_archives_in_archives(tmp_path: Path, proband: int, activity: str) -> None:
    tree.write_nested(tmp_path, proband, activity)
    takes, rejects = dataset(tmp_path).takes()
    assert rejects == []
    assert [take.take_uid for take in takes] == [f"proband{proband}_{activity}_{part}" for part in (1, 2, 3)]
    for part, take in enumerate(takes, start=1):
        imu = dataset(tmp_path).read_imu(take)
        assert imu.origin_ns == (tree.EPOCH_MS + 100_000 * part) * 1_000_000
        assert len(imu.recording.accel) == 500 * part
        assert take.label == activity


@pytest.mark.parametrize(("proband", "activity"), [(4, "walking"), (6, "sitting"), (7, "sitting"), (8, "standing"), (13, "walking")])
@pytest.mark.parametrize("gyro_number", [2, None])
def test_single_recordings_numbered_two(tmp_path: Path, proband: int, activity: str, gyro_number: int | None) -> None:
    both(tmp_path, proband, activity, tree.members("acc", activity, 2), tree.members("gyr", activity, gyro_number))
    take = only(tmp_path)
    assert take.take_uid == f"proband{proband}_{activity}_2"
    assert len(dataset(tmp_path).read_imu(take).recording.accel) == 600


@pytest.mark.parametrize(("proband", "activity", "position"), [(2, "climbingup", "forearm"), (6, "jumping", "thigh")])
def test_missing_positions(tmp_path: Path, proband: int, activity: str, position: str) -> None:
    both(tmp_path, proband, activity, tree.members("acc", activity), tree.members("gyr", activity))
    assert uids(tmp_path) == [f"proband{proband}_{activity}_1"]
    takes, rejects = dataset(tmp_path, position=position).takes()
    assert takes == []
    assert [(reject.take_uid, reject.reason, reject.scope) for reject in rejects] == [(f"proband{proband}_{activity}_1", "no_imu", "take")]
    assert f"at position {position}; positions it has: chest, head" in rejects[0].detail


def test_one_sensor_missing(tmp_path: Path) -> None:
    tree.write(tmp_path, 1, "acc", "lying", tree.members("acc", "lying"))
    both(tmp_path, 2, "lying", tree.members("acc", "lying", positions=["waist"]), tree.members("gyr", "lying"))
    takes, rejects = dataset(tmp_path).takes()
    assert takes == []
    assert [(reject.take_uid, reject.reason, reject.detail) for reject in rejects] == [
        ("proband1_lying_1", "no_imu", "no gyroscope at position head; positions it has: none"),
        ("proband2_lying_1", "no_imu", "no accelerometer at position head; positions it has: waist"),
    ]


def test_sensors_that_start_end_and_count_differently(tmp_path: Path) -> None:
    """Joined on time over the common interval: by row the gyroscope would be off by more than 20 s at the end."""
    acc = {"acc_running_head.csv": tree.csv(tree.stamps(5.003, 60.0, 49.3), tree.acceleration)}
    gyr = {"Gyroscope_running_head.csv": tree.csv(tree.stamps(0.0, 58.0, 68.7), tree.rotation)}
    both(tmp_path, 5, "running", acc, gyr)
    reader = dataset(tmp_path)
    recording = reader.read_imu(only(tmp_path)).recording
    assert recording.gyro is not None
    seconds = recording.timestamps_ns * 1e-9 - tree.EPOCH_MS / 1000
    assert seconds[0] == pytest.approx(5.003, abs=1e-3)
    assert 57.95 < seconds[-1] <= 58.0
    assert recording.rate_hz == pytest.approx(49.3, abs=0.05)
    np.testing.assert_allclose(recording.accel, tree.acceleration(seconds), atol=1e-3)
    assert np.abs(recording.gyro - tree.rotation(seconds))[50:-50].max() < 0.01
    assert recording.notes["unpaired_samples"] == pytest.approx(2 * 49.3, abs=2)


def test_a_gap_of_the_gyroscope_stays_a_gap(tmp_path: Path) -> None:
    times = tree.stamps(0.0, 30.0)
    kept = (times < tree.EPOCH_MS + 10_000) | (times > tree.EPOCH_MS + 13_000)
    both(tmp_path, 5, "running", tree.members("acc", "running", end_s=30.0), {"Gyroscope_running_head.csv": tree.csv(times[kept], tree.rotation)})
    recording = dataset(tmp_path).read_imu(only(tmp_path)).recording
    steps = np.diff(recording.timestamps_ns) * 1e-9
    assert (steps > 2.9).sum() == 1
    assert recording.notes["unpaired_samples"] == pytest.approx(150, abs=2)


def test_unsorted_and_equal_stamps(tmp_path: Path) -> None:
    times = tree.stamps(0.0, 20.0)
    swapped = times.copy()
    swapped[[100, 101]] = swapped[[101, 100]]
    swapped[[300, 304]] = swapped[[304, 300]]
    swapped[500] = swapped[499]
    both(tmp_path, 9, "sitting", {"acc_sitting_head.csv": tree.csv(swapped, tree.acceleration)}, tree.members("gyr", "sitting", end_s=20.0))
    recording = dataset(tmp_path).read_imu(only(tmp_path)).recording
    assert recording.notes["sorted_stamps"] == 3
    assert recording.notes["duplicate_stamps"] == 1
    assert (np.diff(recording.timestamps_ns) > 0).all()
    seconds = recording.timestamps_ns * 1e-9 - tree.EPOCH_MS / 1000
    assert np.abs(recording.accel - tree.acceleration(seconds)).max() < 0.3


def test_a_clock_that_ran_backwards(tmp_path: Path) -> None:
    times = tree.stamps(0.0, 20.0)
    times[500:] -= 3000
    both(tmp_path, 9, "sitting", {"acc_sitting_head.csv": tree.csv(times, tree.acceleration)}, tree.members("gyr", "sitting"))
    with pytest.raises(Rejected) as caught:
        dataset(tmp_path).read_imu(only(tmp_path))
    assert caught.value.reason == "non_monotonic"


def test_the_one_published_archive_and_the_unpacked_tree(tmp_path: Path) -> None:
    packed, loose = tmp_path / "packed", tmp_path / "loose"
    packed.mkdir()
    tree.write_nested(tmp_path / "tree", 4, "climbingup")
    both(tmp_path / "tree", 1, "walking", tree.members("acc", "walking"), tree.members("gyr", "walking"))
    content = {f"realworld2016_dataset/{p.relative_to(tmp_path / 'tree').as_posix()}": p.read_bytes() for p in (tmp_path / "tree").rglob("*.zip")}
    (packed / "realworld2016_dataset.zip").write_bytes(tree.archive(content))
    for sensor, name in (("acc", "acc"), ("gyr", "Gyroscope")):
        folder = loose / "proband1" / "data" / f"{sensor}_walking_csv"
        folder.mkdir(parents=True)
        (folder / f"{name}_walking_head.csv").write_bytes(tree.members(sensor, "walking")[f"{name}_walking_head.csv"])
    plain = {take.take_uid: dataset(tmp_path / "tree").read_imu(take).recording for take in dataset(tmp_path / "tree").takes()[0]}
    assert sorted(plain) == ["proband1_walking_1", "proband4_climbingup_1", "proband4_climbingup_2", "proband4_climbingup_3"]
    for root in (packed, loose):
        takes, rejects = dataset(root).takes()
        assert rejects == []
        for take in takes:
            recording = dataset(root).read_imu(take).recording
            np.testing.assert_array_equal(recording.accel, plain[take.take_uid].accel)
            np.testing.assert_array_equal(recording.timestamps_ns, plain[take.take_uid].timestamps_ns)
    assert uids(packed) == sorted(plain)
    assert uids(loose) == ["proband1_walking_1"]


def test_names_that_point_outside_are_inert(tmp_path: Path) -> None:
    root = tmp_path / "root"
    evil = tree.members("acc", "walking")["acc_walking_head.csv"]
    for name in ("../acc_walking_head.csv", "/acc_walking_head.csv", "..\\acc_walking_head.csv", "__MACOSX/._acc_walking_head.csv"):
        both(root, 1, "walking", {name: evil}, tree.members("gyr", "walking"))
        before = set(tmp_path.rglob("*"))
        assert refused(root) == [("proband1_walking_1", "no_imu")]
        assert uids(root) == []
        assert set(tmp_path.rglob("*")) == before
    deep = {"any/folder/acc_walking_head.csv": evil}
    both(root, 1, "walking", deep, tree.members("gyr", "walking"))
    assert len(dataset(root).read_imu(only(root)).recording.accel) == 600


def test_bombs_are_refused_before_they_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tree.archive({"acc_walking_head.csv": b"0" * (40 << 20)})
    assert len(bomb) < 100_000
    both(tmp_path, 1, "walking", bomb, tree.members("gyr", "walking"))
    with pytest.raises(Rejected, match="unpacks to more than 200 times its size"):
        dataset(tmp_path).read_imu(only(tmp_path))
    nested = tree.archive({f"acc_climbingup_{k}_csv.zip": bytes(40 << 20) for k in range(3)})
    both(tmp_path, 2, "climbingup", nested, tree.members("gyr", "climbingup"))
    assert ("proband2_climbingup_1", "unreadable_imu") in refused(tmp_path)
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 1000)
    big = tree.write(tmp_path, 3, "acc", "lying", tree.members("acc", "lying"))
    with pytest.raises(Rejected, match="unpacks to more than 0 MiB"):
        archives.read_member(big, ("acc_lying_head.csv",), 1000)
    monkeypatch.setattr(archives, "MEMBERS_LIMIT", 3)
    many = tree.write(tmp_path, 3, "acc", "lying", {f"{k}.csv": b"" for k in range(4)})
    with pytest.raises(Rejected, match="4 members"):
        list(archives.list_members(many, lambda name: True, lambda names, rejected: None))


def test_an_archive_within_itself_ends(tmp_path: Path) -> None:
    content: bytes = tree.archive({"acc_walking_head.csv": b"x"})
    for _ in range(6):
        content = tree.archive({"acc_walking_csv.zip": content})
    both(tmp_path, 1, "walking", content, tree.members("gyr", "walking"))
    assert refused(tmp_path) == [("proband1_walking_1", "no_imu")]


def test_damaged_archives_cost_their_takes(tmp_path: Path) -> None:
    both(tmp_path, 1, "walking", tree.members("acc", "walking"), tree.members("gyr", "walking"))
    both(tmp_path, 2, "walking", b"PK\x03\x04 broken", tree.members("gyr", "walking"))
    both(tmp_path, 3, "walking", b"", b"")
    inner = {f"acc_climbingup_{k}_csv.zip": tree.archive(tree.members("acc", "climbingup", k)) for k in (1, 2, 3)}
    inner["acc_climbingup_2_csv.zip"] = inner["acc_climbingup_2_csv.zip"][:200]
    tree.write_nested(tmp_path, 4, "climbingup")
    tree.write(tmp_path, 4, "acc", "climbingup", inner)
    (tmp_path / "notes.zip").write_bytes(b"of something else")
    takes, rejects = dataset(tmp_path).takes()
    assert [take.take_uid for take in takes] == ["proband1_walking_1", "proband4_climbingup_1", "proband4_climbingup_3"]
    assert sorted((reject.take_uid, reject.reason) for reject in rejects) == [
        ("notes.zip", "unreadable_imu"),
        ("proband2_walking_1", "unreadable_imu"),
        ("proband3_walking_1", "unreadable_imu"),
        ("proband4_climbingup_2", "unreadable_imu"),
    ]


def test_encrypted_members_and_unknown_packing(tmp_path: Path) -> None:
    plain = tree.archive(tree.members("acc", "walking"))
    for offset, value in ((6, 1), (8, 99)):  # flags: encrypted; method: none there is
        data = bytearray(plain)
        at = data.index(b"PK\x01\x02")
        while at >= 0:
            data[at + offset + 2] = value
            at = data.find(b"PK\x01\x02", at + 4)
        both(tmp_path, 1, "walking", bytes(data), tree.members("gyr", "walking"))
        with pytest.raises(Rejected, match="cannot be unpacked") as caught:
            dataset(tmp_path).read_imu(only(tmp_path))
        assert caught.value.reason == "unreadable_imu"


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_archives_give_a_take_or_a_named_reject(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(tree.archive({"acc_climbingup_1_csv.zip": tree.archive(tree.members("acc", "climbingup", end_s=2.0))}))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    both(tmp_path, 4, "climbingup", bytes(content), tree.members("gyr", "climbingup", end_s=2.0))
    takes, rejects = dataset(tmp_path).takes()
    assert takes or rejects
    for take in takes:
        try:
            recording = dataset(tmp_path).read_imu(take).recording
        except Rejected:
            continue
        assert (np.diff(recording.timestamps_ns) > 0).all()


def test_values_that_are_none(tmp_path: Path) -> None:
    good = tree.members("gyr", "walking")
    for text, reason in (
        ("id,attr_time,attr_x,attr_y\n1,2,3,4\n", "unreadable_imu"),
        ("id,attr_time,attr_x,attr_y,attr_z\n", "no_imu"),
        ("id,attr_time,attr_x,attr_y,attr_z\n1,nan,1,2,3\n2,x,1,2,3\n", "no_imu"),
    ):
        both(tmp_path, 1, "walking", {"acc_walking_head.csv": text.encode()}, {**good, "Gyroscope_walking_head.csv": text.encode()})
        with pytest.raises(Rejected) as caught:
            dataset(tmp_path).read_imu(only(tmp_path))
        assert caught.value.reason == reason, text


def test_settings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no RealWorld2016 archive"):
        dataset(tmp_path)
    both(tmp_path, 1, "walking", tree.members("acc", "walking"), tree.members("gyr", "walking"))
    with pytest.raises(UserError, match="position is 'ear'; expected one of chest, forearm, head"):
        dataset(tmp_path, position="ear")
    assert only(tmp_path, position="chest", population="people").participant == "people/proband1"
    take = only(tmp_path)
    for path in tmp_path.rglob("*.zip"):
        path.write_bytes(b"gone")
    with pytest.raises(Rejected, match="not a readable zip archive"):
        dataset(tmp_path).read_imu(take)


def test_members_beyond_their_stated_size_are_cut_off(tmp_path: Path) -> None:
    """A header may lie about the size: what is read ends where it says, and the checksum then fails."""
    content = b"1,2,3\n" * 400_000
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("acc_walking_head.csv", content)
    data = bytearray(sink.getvalue())
    stated = len(content).to_bytes(4, "little")
    at = data.rindex(stated)
    data[at : at + 4] = (1000).to_bytes(4, "little")
    path = tmp_path / "lie.zip"
    path.write_bytes(data)
    with pytest.raises(Rejected, match="cannot be unpacked"):
        archives.read_member(path, ("acc_walking_head.csv",))
