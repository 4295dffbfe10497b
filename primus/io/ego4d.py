"""Ego4D: one take a video, with its narrations, its one scenario as label, and the IMU of the normalised CSV on video time."""

from collections.abc import Mapping
from typing import Any

from primus.errors import Rejected, UserError
from primus.io.ego4d_imu import read_ego4d_csv
from primus.io.files import FileSet
from primus.io.json_fields import as_bool, as_id, as_mapping, as_seconds, as_text, load_json
from primus.io.narrations import ego4d_narrations
from primus.io.settings import one_of
from primus.io.takes import Take, TakeImu
from primus.schema import Reject

SCENARIOS = {
    "Carpenter": "carpenter",
    "Cleaning / laundry": "clean",
    "Cooking": "cook",
    "Crafting/knitting/sewing/drawing/painting": "craft",
    "Eating": "eat",
    "Farmer": "farmer",
    "Household management - caring for kids": "household",
    "Practicing a musical instrument": "play music",
    "Walking on street": "walk",
    "jobs related to construction/renovation company\n(Director of work, tiler, plumber, Electrician, Handyman, etc)": "construction",
}
"""The ten scenario strings of the paper's classes, exactly as ego4d.json spells them, in the order of the published class ids 0 to 9."""

_REMEDY = "the folder given to `ego4d --output_directory` with --metadata --datasets annotations imu"
_ROOTS = ("v2/", "v2_1/", "v1/", "")


class Ego4DDataset:
    """The dataset below one root, as the `ego4d` command downloads it: the root holds `v2/` or `v2_1/`, or is that folder.

    Config:
        population: prefix of the participants, default the dataset's name.
        video: "auto" (default) takes video_540ss and else full_scale, "540ss" or "full" only that, "none" no video.

    Raises:
        UserError: a setting is wrong, or there is no ego4d.json.
    """

    def __init__(self, name: str, config: Mapping[str, Any], files: FileSet) -> None:
        self.name = name
        self.root_files = files
        self.population = str(config.get("population") or name)
        self.video = one_of(name, config, "video", "auto", ("auto", "540ss", "full", "none"))
        found = [root for root in _ROOTS if files.has(f"{root}ego4d.json")]
        if not found:
            raise UserError(f"dataset {name}: {files.root} has no v2/ego4d.json; expected {_REMEDY}")
        self.folder = found[0]

    def takes(self) -> tuple[list[Take], list[Reject]]:
        """Every video of ego4d.json, and the records and narrations that cannot be used.

        Raises:
            UserError: a metadata file is not what the release publishes.
        """
        content = self._json("ego4d.json")
        videos = as_mapping(content).get("videos")
        if not isinstance(videos, list):
            raise UserError(f"{self.root_files.root / self.folder}/ego4d.json has no list `videos`; expected the release's file")
        narrated = self._narrations()
        takes: dict[str, Take] = {}
        rejects: list[Reject] = []
        for i, record in enumerate(videos):
            uid = as_text(as_mapping(record).get("video_uid"))
            if uid is None:
                rejects.append(Reject(self.name, f"ego4d.json[{i}]", "unreadable_metadata", "a record without video_uid"))
            elif uid in takes:
                rejects.append(Reject(self.name, uid, "unreadable_metadata", "listed twice; the first record is used", "annotation"))
            else:
                takes[uid], refused = self._take(uid, record, narrated.get(uid))
                rejects += refused
        for uid in sorted(set(narrated) - set(takes)):
            rejects.append(Reject(self.name, uid, "not_in_takes", "narrated, but ego4d.json does not list it", "annotation"))
        return sorted(takes.values(), key=lambda take: take.take_uid), rejects

    def read_imu(self, take: Take) -> TakeImu:
        """The video's IMU; zero is the start of the canonical video, as its CSV states it.

        Raises:
            Rejected: `no_imu`, `unreadable_imu`, `missing_axis`, `non_monotonic`.
        """
        if take.imu_path is None:
            raise Rejected("no_imu", str(take.source["imu_missing"]))
        return TakeImu(read_ego4d_csv(self.root_files.path(take.imu_path), take.duration_s), 0, "file")

    def files(self, take: Take) -> list[str]:
        """The IMU CSV."""
        return [] if take.imu_path is None else [take.imu_path]

    def _take(self, uid: str, record: Mapping[str, Any], narrated: object) -> tuple[Take, list[Reject]]:
        narrations, rejects = ego4d_narrations(self.name, uid, narrated)
        metadata = as_mapping(record.get("video_metadata"))
        stated = (record.get("duration_sec"), metadata.get("mp4_duration_sec"), metadata.get("video_duration_sec"))
        durations = (as_seconds(value) for value in stated)
        imu = f"{self.folder}imu/{uid}.csv"
        videos = {"540ss": [f"{self.folder}video_540ss/{uid}.mp4"], "full": [f"{self.folder}full_scale/{uid}.mp4"], "none": []}
        source: dict[str, str | int | float] = {}
        if not self.root_files.has(imu):
            without = as_bool(record.get("has_imu")) is False
            source["imu_missing"] = "ego4d.json says has_imu false" if without else f"{imu} is not below the root; fetch it with ego4d --datasets imu"
        scenarios = record.get("scenarios")
        only = scenarios[0] if isinstance(scenarios, list) and len(scenarios) == 1 else None
        label = SCENARIOS.get(only) if isinstance(only, str) else None
        if label is None:
            source["label_missing"] = f"scenarios are {scenarios!r}; expected exactly one, and one of the paper's ten"
        participant = as_id(record.get("fb_participant_id"))
        take = Take(
            dataset=self.name,
            take_uid=uid,
            participant=None if participant is None else f"{self.population}/{participant}",
            site=as_text(record.get("video_source")),
            device=as_text(record.get("device")),
            duration_s=next((seconds for seconds in durations if seconds is not None and seconds > 0), None),
            label=label,
            imu_path=imu if self.root_files.has(imu) else None,
            video_path=self.root_files.first(videos.get(self.video, videos["540ss"] + videos["full"])),
            narrations=narrations,
            source=source,
        )
        return take, rejects

    def _narrations(self) -> Mapping[str, Any]:
        name = self.root_files.first(f"{self.folder}annotations/{file}.json" for file in ("narration", "narrations"))
        if name is None:
            return {}
        content = as_mapping(self._json(name.removeprefix(self.folder)))
        return as_mapping(content.get("videos")) or {uid: entry for uid, entry in content.items() if isinstance(entry, dict)}

    def _json(self, name: str) -> Any:
        return load_json(self.root_files, self.folder + name, _REMEDY)
