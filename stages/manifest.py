"""Names and sizes of every file below the roots of the profile's data sets: what later stages depend on, since terabytes are never hashed."""

import os
from pathlib import Path

import pyarrow as pa
import typer

from primus.artifacts import write_table
from primus.io.files import FileSet, resolve_root
from primus.params import load_datasets, profile_name
from primus.schema import MANIFEST
from primus.stage import StageLog, stage


@stage("manifest")
def main() -> None:
    """Write data/<profile>/manifest.parquet: data set, path relative to its root, size in bytes."""
    profile = profile_name()
    datasets = load_datasets()
    log = StageLog("manifest")
    tables = []
    for name, config in sorted(datasets.items()):
        root = resolve_root(str(config["root"]), Path(os.environ.get("DVC_ROOT", ".")))
        sizes = FileSet.scan(root).sizes
        log.event("scanned", dataset=name, root=str(root), files=len(sizes), size_bytes=sum(sizes.values()))
        columns = {"dataset": [name] * len(sizes), "path": list(sizes), "size_bytes": list(sizes.values())}
        tables.append(pa.table(columns, schema=MANIFEST))
    write_table(Path("data") / profile / "manifest.parquet", pa.concat_tables(tables))


if __name__ == "__main__":
    typer.run(main)
