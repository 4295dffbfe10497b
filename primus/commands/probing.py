"""The commands `primus probe`: a small classifier on frozen features, trained on people's own labels and used."""

from pathlib import Path
from typing import Annotated

import typer

from primus.commands import encoding_options as encoding
from primus.commands import labelled_options as labelling
from primus.commands.options import MODEL_HELP, AsJson, Model, file_to_write, folder_to_write

LABELLED_HELP = "A folder of recordings, one recording, or a features.parquet of `primus encode` to which you added a column label."

probe = typer.Typer(help="Train a small classifier on your own labels, and use it.", no_args_is_help=True, rich_markup_mode=None)


@probe.command("train")
def train(
    labelled: Annotated[Path, typer.Argument(help=LABELLED_HELP)],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder to write: head.json, head.safetensors, report.html.")],
    labels: labelling.Labels = None,
    participants: labelling.Participants = None,
    match: labelling.Match = None,
    c: Annotated[float, typer.Option(help="Inverse penalty of the logistic regression.")] = 1.0,
    folds: labelling.Folds = 10,
    seed: labelling.Seed = 0,
    baseline: Annotated[bool, typer.Option(help="Score hand-made statistics with a random forest on the same folds.")] = True,
    share: labelling.Share = 0.5,
    unscored: Annotated[
        bool, typer.Option("--unscored", help="Train without cross-validation: with one participant no honest score can be had.")
    ] = False,
    hop: encoding.Hop = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    missing_gyro: encoding.MissingGyro = "refuse",
    short: encoding.Short = "reflect",
    threads: encoding.Threads = None,
    as_json: AsJson = False,
) -> None:
    """Train a probe on frozen features, tested on people (or files) that it was not trained on."""
    from primus.adapt.head import DESCRIPTION
    from primus.adapt.probe_training import ProbeSettings, open_labelled, train_probe
    from primus.adapt.report import write_report
    from primus.artifacts import atomic_folder
    from primus.inference.contract import open_encoder

    folder_to_write(out, DESCRIPTION)
    settings = ProbeSettings(c, folds, seed, baseline, not unscored)
    where = labelling.label_source(labels, participants, match, share, time_unit, accel_unit, gyro_unit)
    policy = encoding.window_policy(hop, missing_gyro, short)
    encoding.one_thread()
    encoding.sum_up_guesses()
    encoder = open_encoder(model)
    rows = open_labelled(labelled, encoder, model, where, policy)
    trained = train_probe(rows, encoder, model, settings, encoding.side_by_side(threads))
    with atomic_folder(out) as folder:
        trained.head.save(folder)
        write_report(folder / "report.html", trained.head, "Probe on your labels")
    labelling.say_trained(trained.head.about, out, as_json)


@probe.command("predict")
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Recordings and folders of them, or one features.parquet of `primus encode`.")],
    probe: Annotated[Path, typer.Option(help="Folder that `primus probe train` or `primus finetune` wrote.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write: source, start_s, end_s, label, probability, and the probability of each class.")],
    model: Annotated[str | None, typer.Option(help=f"{MODEL_HELP} By default the one the probe was trained with.")] = None,
    hop: encoding.Hop = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    missing_gyro: encoding.MissingGyro = "refuse",
    short: encoding.Short = "reflect",
    threads: encoding.Threads = None,
    as_json: AsJson = False,
) -> None:
    """Say for every window of some recordings which class it is, and how sure the probe is. Interrupted, it continues when started again."""
    from primus.adapt.head import load_head
    from primus.adapt.prediction import predict as classify
    from primus.inference.contract import open_encoder
    from primus.inference.window_sequence import EncodeSettings

    file_to_write(out, ".parquet")
    head = load_head(probe)
    name = model or (str(probe) if (probe / "config.json").is_file() else str((head.about.get("model") or {}).get("name")))
    units = encoding.stated_units(time_unit, accel_unit, gyro_unit)
    settings = EncodeSettings(encoding.window_policy(hop, missing_gyro, short), None, units)
    encoding.one_thread()
    encoding.sum_up_guesses()
    done = classify(paths, head, open_encoder(name), name, out, settings, encoding.side_by_side(threads), encoding.tracked)
    encoding.say_classes(out, done.labels, done.encoded, done.said, as_json)
