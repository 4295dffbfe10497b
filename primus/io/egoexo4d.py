"""Ego-Exo4D (release v2): takes with their people, splits, labels and narrations, and the IMU of the Aria glasses on take time."""

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from primus.errors import Rejected, UserError
from primus.io.egoexo4d_labels import label_of
from primus.io.files import FileSet
from primus.io.imu_parquet import SUFFIX, read_imu_parquet
from primus.io.json_fields import as_bool, as_id, as_list, as_mapping, as_seconds, as_text, as_whole, load_json, objects_of
from primus.io.narrations import atomic_descriptions
from primus.io.settings import flag, one_of
from primus.io.takes import Take, TakeImu
from primus.io.timesync import ROWS_PER_S, take_start_ns
from primus.io.vrs import STREAMS, read_imu_vrs
from primus.schema import Reject

SPLITS = ("train", "val", "test")
_COVER_S = 0.1
_ROWS_SLACK = 3.5
_RGB = "214-1"


class EgoExo4DDataset:
    """The dataset below one root, as the `egoexo` command downloads it.

    Config:
        population: prefix of the participants, default the dataset's name; datasets that share people share it.
        imu: "imu-right" (default) or "imu-left".
        calibrated: apply the glasses' factory calibration, default false.
        official_splits: keep the takes of these splits only ("train", "val", "test"), default all.
        video: "auto" (default) takes the 448-pixel copy and else the full-resolution one, "448" or "full" only that, "none" no video.

    Raises:
        UserError: a setting is wrong.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.population = str(config.get("population") or name)
        self.stream = one_of(name, config, "imu", "imu-right", tuple(STREAMS["Aria"]))
        self.video = one_of(name, config, "video", "auto", ("auto", "448", "full", "none"))
        self.calibrated = flag(name, config, "calibrated")
        self.official_splits = tuple(config.get("official_splits") or SPLITS)
        if not set(self.official_splits) <= set(SPLITS):
            raise UserError(f"dataset {name}: official_splits is {list(self.official_splits)}; expected some of {', '.join(SPLITS)}")

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """Every take of takes.json in the chosen splits, and the annotations and records that cannot be used.

        Raises:
            UserError: takes.json is missing, or a metadata file is not what the release publishes.
        """
        records = self._json("takes.json")
        if not isinstance(records, list):
            raise UserError(f"{self.root_files.root / 'takes.json'} holds a {type(records).__name__}; expected the release's list of takes")
        passes, split_of = self._descriptions()
        split_of |= self._listed_splits()
        if not split_of and set(self.official_splits) != set(SPLITS):
            raise UserError(f"dataset {self.name}: official_splits need annotations/splits.json, which {self.root_files.root} does not have")
        captures = {as_id(capture.get("capture_uid")): capture for capture in objects_of(self._json("captures.json", required=False))}
        takes: dict[str, Take] = {}
        rejects: list[Reject] = []
        for i, record in enumerate(records):
            uid = as_text(as_mapping(record).get("take_uid"))
            if uid is None:
                rejects.append(Reject(self.name, f"takes.json[{i}]", "unreadable_metadata", "a record without take_uid"))
            elif uid in takes:
                rejects.append(Reject(self.name, uid, "unreadable_metadata", "listed twice; the first record is used", "annotation"))
            elif as_bool(record.get("is_dropped")):
                rejects.append(Reject(self.name, uid, "unreadable_metadata", "is_dropped is true; every take that was released says false"))
            elif self._wanted(split_of.get(uid)):
                takes[uid] = self._take(uid, record, captures, split_of.get(uid))
        listed = {as_text(as_mapping(record).get("take_uid")) for record in records}
        for uid, found in sorted(passes.items()):
            if uid in takes:
                narrations, refused = atomic_descriptions(self.name, uid, found)
                takes[uid] = replace(takes[uid], narrations=narrations)
                rejects += refused
            elif uid not in listed and self._wanted(split_of.get(uid)):
                rejects.append(Reject(self.name, uid, "not_in_takes", "described, but takes.json does not list it", "annotation"))
        return sorted(takes.values(), key=lambda take: take.take_uid), rejects

    def read_imu(self, take: Take) -> TakeImu:
        """The take's IMU with zero at its first row of timesync.csv, or at its first sample where that file is absent.

        Raises:
            Rejected: `no_imu`, `unreadable_imu`, `non_monotonic`, `timesync_invalid` (also when the take's rows are not as long as takes.json says
                it is), or `imu_short` when the samples do not cover the take within 0.1 s at either end.
        """
        if take.imu_path is None:
            raise Rejected("no_imu", str(take.source["imu_missing"]))
        path = self.root_files.path(take.imu_path)
        read = read_imu_parquet if path.name.endswith(SUFFIX) else read_imu_vrs
        recording = read(path, self.stream, self.calibrated)
        first, last = int(recording.timestamps_ns[0]), int(recording.timestamps_ns[-1])
        timesync = take.source.get("timesync")
        if timesync is None:
            imu = TakeImu(recording, first, "first_sample")
        else:
            camera = as_text(take.source.get("camera"))
            rows = int(take.source["timesync_start"]), int(take.source["timesync_end"])
            _require_rows_of_length(rows, take.duration_s)
            imu = TakeImu(recording, take_start_ns(self.root_files.path(str(timesync)), camera, *rows), "timesync")
        begins, ends = (first - imu.origin_ns) * 1e-9, (last - imu.origin_ns) * 1e-9
        duration = ends if take.duration_s is None else take.duration_s
        if begins > _COVER_S or ends < duration - _COVER_S:
            raise Rejected("imu_short", f"{take.imu_path} covers {begins:.3f} to {ends:.3f} s of the take; expected 0 to {duration:.3f} s")
        return imu

    def files(self, take: Take) -> list[str]:
        """The IMU file, and timesync.csv where there is one."""
        return [name for name in (take.imu_path, take.source.get("timesync")) if isinstance(name, str)]

    def _take(self, uid: str, record: Mapping[str, Any], captures: Mapping[str | None, Mapping[str, Any]], split: str | None) -> Take:
        take_name = as_text(record.get("take_name")) or uid
        folder = as_text(record.get("root_dir")) or f"takes/{take_name}"
        capture = as_mapping(record.get("capture")) or captures.get(as_id(record.get("capture_uid")), {})
        camera = _ego_camera(record, capture)
        capture_name = as_text(capture.get("capture_name")) or take_name.rpartition("_")[0]
        timesync = f"captures/{capture_name}/timesync.csv"
        start, end = as_whole(record.get("timesync_start_idx")), as_whole(record.get("timesync_end_idx"))
        duration = as_seconds(record.get("duration_sec")) or 0.0
        source: dict[str, str | int | float] = {"take_name": take_name}
        if camera:
            source["camera"] = camera
        rows = None
        if start is not None and end is not None:
            rows = end - start
            duration = duration if duration > 0 else rows / ROWS_PER_S
            if self.root_files.has(timesync):
                source |= {"timesync": timesync, "timesync_start": start, "timesync_end": end}
        for key in ("task_start_sec", "task_end_sec"):
            seconds = as_seconds(record.get(key))
            if seconds is not None:
                source[key] = seconds
        imu_path, missing = self._imu_file(folder, record)
        if imu_path is None:
            source["imu_missing"] = missing
        participant = as_id(record.get("participant_uid"))
        task = [record.get(key) for key in ("task_name", "parent_task_name", "task_id")]
        label = label_of(take_name, *task)
        if label is None:
            source["label_missing"] = f"task {task[0]!r} of {task[1]!r} ({task[2]!r}) and take_name {take_name!r} name none of the eight classes"
        return Take(
            dataset=self.name,
            take_uid=uid,
            participant=None if participant is None else f"{self.population}/{participant}",
            site=as_text(record.get("university_name")),
            device=f"aria/{self.stream}",
            duration_s=duration if duration > 0 else None,
            label=label,
            official_split=split,
            imu_path=imu_path,
            video_path=self._video_file(folder, record, camera),
            video_frames=rows,
            source=source,
        )

    def _imu_file(self, folder: str, record: Mapping[str, Any]) -> tuple[str | None, str]:
        """The VRS file, the full one where the one without images is absent, or a compact copy of either; and what to say when there is none."""
        named = [name for key in ("vrs_relative_path", "vrs_all_streams_relative_path") if (name := as_text(record.get(key)))]
        if as_bool(record.get("has_trimmed_vrs")) is False or not named:
            return None, "takes.json says the take has no VRS recording (has_trimmed_vrs is false or vrs_relative_path null)"
        recordings = [posixpath.join(folder, name) for name in named]
        compact = [posixpath.splitext(name)[0] + SUFFIX for name in recordings]
        found = self.root_files.first([*recordings, *compact])
        return found, f"{recordings[0]} is not below the root; fetch it with egoexo --parts take_vrs_noimagestream"

    def _video_file(self, folder: str, record: Mapping[str, Any], camera: str | None) -> str | None:
        if camera is None or self.video == "none":
            return None
        streams = as_mapping(as_mapping(record.get("frame_aligned_videos")).get(camera))
        named = as_text(as_mapping(streams.get("rgb")).get("relative_path")) or f"frame_aligned_videos/{camera}_{_RGB}.mp4"
        full = posixpath.join(folder, named)
        small = posixpath.join(posixpath.dirname(full), "downscaled/448", posixpath.basename(full))
        return self.root_files.first({"448": [small], "full": [full], "auto": [small, full]}[self.video])

    def _descriptions(self) -> tuple[dict[str, list[object]], dict[str, str]]:
        """take_uid -> its annotator passes, and -> the split whose file describes it."""
        passes: dict[str, list[object]] = {}
        split_of: dict[str, str] = {}
        for split in ("train", "val"):
            name = f"annotations/atomic_descriptions_{split}.json"
            content = self._json(name, required=False)
            if content is not None and not isinstance(as_mapping(content).get("annotations"), dict):
                raise UserError(f"{self.root_files.root / name} has no mapping `annotations`; expected the release's file")
            for uid, found in as_mapping(as_mapping(content).get("annotations")).items():
                passes.setdefault(uid, []).extend(as_list(found))
                split_of[uid] = split
        return passes, split_of

    def _listed_splits(self) -> dict[str, str]:
        content = as_mapping(self._json("annotations/splits.json", required=False))
        listed = as_mapping(content.get("split_to_take_uids"))
        split_of = {uid: split for split in SPLITS for uid in as_list(listed.get(split)) if isinstance(uid, str)}
        return split_of | {uid: split for uid, split in as_mapping(content.get("take_uid_to_split")).items() if split in SPLITS}

    def _wanted(self, split: str | None) -> bool:
        return split in self.official_splits or set(self.official_splits) == set(SPLITS)

    def _json(self, name: str, required: bool = True) -> Any:
        if not required and not self.root_files.has(name):
            return None
        return load_json(self.root_files, name, "the folder given to `egoexo -o` with --parts metadata annotations")


def _require_rows_of_length(rows: tuple[int, int], duration_s: float | None) -> None:
    """Refuse a take whose rows are not the take: the published examples have duration_sec * 30 rows, and readers take up to three more or less."""
    length_s = (rows[1] - rows[0]) / ROWS_PER_S
    if duration_s is not None and abs(rows[1] - rows[0] - duration_s * ROWS_PER_S) > _ROWS_SLACK:
        raise Rejected(
            "timesync_invalid",
            f"duration_sec is {duration_s:.3f} s in takes.json, but rows {rows[0]} to {rows[1]} of timesync.csv are {length_s:.3f} s",
        )


def _ego_camera(record: Mapping[str, Any], capture: Mapping[str, Any]) -> str | None:
    """Id of the glasses: the capture's one ego camera called aria..., else the one in the take's videos, else the one its VRS file is named after."""
    egos = [camera.get("cam_id") for camera in objects_of(capture.get("cameras")) if as_bool(camera.get("is_ego"))]
    ids = [cam for cam in egos if isinstance(cam, str) and cam.startswith("aria")]
    videos = [cam for cam in as_mapping(record.get("frame_aligned_videos")) if cam.startswith("aria")]
    recording = (as_text(record.get("vrs_relative_path")) or "").split("_")[0].split(".")[0]
    for found in (ids, videos, [recording] if recording.startswith("aria") else []):
        if recording in found:
            return recording
        if len(found) == 1:
            return found[0]
    return None
