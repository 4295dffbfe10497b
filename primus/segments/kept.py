"""Segments of a take, kept between runs: the same files, settings and code give them without reading the take again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from primus.errors import Rejected
from primus.io.datasets import open_dataset, reader_module
from primus.io.files import FileSet
from primus.io.takes import Dataset
from primus.provenance import code_digest, file_identity
from primus.schema import Reject
from primus.segments.grid import Interval
from primus.segments.segmenter import SegmentSettings, TakeJob, TakeSegments, segment_take
from primus.system_faults import system_fault
from primus.work_cache import WorkCache


@dataclass
class CachedSegmenter:
    """`segment_take` for the engine: opens the job's data set, once in every process, and keeps results in the work cache.

    Attributes:
        configs: name -> settings of a data set.
        files: name -> its files.
        settings: how takes are cut.
    """

    configs: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, FileSet]
    settings: SegmentSettings
    _opened: dict[str, Dataset] = field(default_factory=dict, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": {}}

    def dataset(self, name: str) -> Dataset:
        """The reader of a data set."""
        if name not in self._opened:
            self._opened[name] = open_dataset(name, self.configs[name], self.files[name])
        return self._opened[name]

    def __call__(self, job: TakeJob) -> TakeSegments:
        """The take's segments, from the cache when its files, the settings and the code are those of an earlier run; a refusal is kept as well,
        unless the system was at fault."""
        dataset, files = self.dataset(job.take.dataset), self.files[job.take.dataset]
        cache = WorkCache("segments")
        names = [*dataset.files(job.take), *([job.take.video_path] if job.take.video_path else [])]
        identities = [
            file_identity(files.path(name), name) if files.has(name) else f"{name}|absent" for name in dict.fromkeys(map(_container, names))
        ]
        params = {
            "job": asdict(job),
            "settings": asdict(self.settings),
            "dataset": dict(self.configs[job.take.dataset]),
            "reader": code_digest(reader_module(self.configs[job.take.dataset])),
        }
        key = cache.key(identities, params, __name__)
        found = cache.load(key)
        if found is not None:
            return _restore(*found)
        try:
            result = segment_take(dataset, files, job, self.settings)
        except Rejected as refused:
            if system_fault(refused):
                raise
            cache.store(key, {}, {"refused": [refused.reason, refused.detail]})
            raise
        meta = {
            "intervals": [[item.start_s, list(item.texts), item.label, item.members] for item in result.intervals],
            "has_video": list(result.has_video),
            "rejects": [asdict(reject) for reject in result.rejects],
            "facts": dict(result.facts),
        }
        cache.store(key, {"imu": result.imu}, meta)
        return result


def _container(name: str) -> str:
    """The file that holds a member written "archive.zip::member"."""
    return name.partition("::")[0]


def _restore(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> TakeSegments:
    if "refused" in meta:
        raise Rejected(*meta["refused"])
    intervals = tuple(Interval(start_s, tuple(texts), label, members) for start_s, texts, label, members in meta["intervals"])
    rejects = tuple(Reject(**reject) for reject in meta["rejects"])
    return TakeSegments(intervals, tuple(meta["has_video"]), arrays["imu"], rejects, meta["facts"])
