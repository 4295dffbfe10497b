"""Commands for people who fetch the public data sets and keep only what is needed of them."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from primus.commands.options import AsJson


def extract_imu(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="VRS files, or folders of them such as an Ego-Exo4D root.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it mirrors each source folder, and may be that folder itself.")],
    stream: Annotated[list[str] | None, typer.Option(help="Keep this stream only: imu-right or imu-left; may be repeated. Default: both.")] = None,
    delete_source: Annotated[
        bool, typer.Option("--delete-source", help="Delete each VRS file after every sample of its compact file was read back and compared with it.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes; a recording that crashes its process costs that recording only, from 2 on.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Keep only the IMU of Aria recordings: one compact Parquet file for each VRS file, which the readers take in its place.

    Interrupted or killed, the same command continues: files that are whole and of the same source are skipped. Recordings that cannot be read are
    listed and never stop the run. Of an Ego-Exo4D root extracted to another folder, takes.json, splits, descriptions and timesync.csv come along;
    videos do not, so write into the root itself (--out the same folder) where videos are wanted. Symbolic links are read but never deleted.
    """
    from primus.engine import map_takes
    from primus.io.extract import LABELS, extract
    from primus.io.extract_tree import Tally, copy_metadata, plan_extraction
    from primus.stage import progress

    plan = plan_extraction(sources, out, stream or LABELS, delete_source)
    tally = Tally(plan.done, plan.take_seconds, copy_metadata(plan.copies))
    for outcome in progress(map_takes(extract, plan.jobs, workers), "extract-imu", total=len(plan.jobs), unit="recording"):
        tally.add(outcome)
    facts = tally.facts()
    print(json.dumps(facts, indent=1) if as_json else _summary(facts))
    if plan.jobs and not tally.results:
        raise typer.Exit(1)


def _summary(facts: dict[str, Any]) -> str:
    already = facts["skipped"] + facts["extracted_earlier_source_gone"]
    lines = [f"{facts['extracted']} extracted, {already} already there, {len(facts['refused'])} refused, {facts['sources_deleted']} sources deleted"]
    if "bytes_per_sample" in facts:
        before, after = facts["source_bytes"] / 1e6, facts["extracted_bytes"] / 1e6
        lines += [
            f"{facts['samples']:,} samples of {facts['hours']:.2f} hours",
            f"{before:,.1f} MB of VRS are {after:,.1f} MB, {facts['bytes_per_sample']:.2f} bytes a sample",
            f"scaled from these recordings: 1 TB of such VRS files would leave {facts['gb_left_of_1_tb']:g} GB",
        ]
    if "gb_of_all_takes_listed" in facts:
        lines.append(f"scaled from these recordings: all {facts['takes_listed']} takes of takes.json would be {facts['gb_of_all_takes_listed']:g} GB")
    if facts["metadata_files"]:
        lines.append(f"{facts['metadata_files']} metadata files of {facts['metadata_bytes'] / 1e6:,.1f} MB beside them")
    lines += [f"refused {row['source']}: {row['reason']}: {row['detail']}" for row in facts["refused"]]
    lines += [f"not deleted {row['source']}: {row['detail']}" for row in facts["sources_kept"]]
    return "\n".join(lines)


def fetch_plan(
    dataset: Annotated[Literal["egoexo4d", "ego4d", "realworld", "all"], typer.Option(help="Which data set.")] = "all",
    modalities: Annotated[Literal["imu+text", "imu+text+video"], typer.Option(help="What you want to train with.")] = "imu+text",
    as_json: AsJson = False,
) -> None:
    """Print which commands fetch the public data sets, how many GB each takes, what goes wrong on the way, and what to set afterwards."""
    from primus import fetch_plan as plans
    from primus.fetch_facts import DATASETS

    chosen = plans.fetch_plan(list(DATASETS) if dataset == "all" else [dataset], modalities)
    print(json.dumps(plans.as_rows(chosen), indent=1) if as_json else plans.render(chosen, modalities))
