"""The command that fine-tunes an encoder on people's own labels."""

from pathlib import Path
from typing import Annotated

import typer

from primus.commands import encoding_options as encoding
from primus.commands import labelled_options as labelling
from primus.commands.options import AsJson, Model, folder_to_write
from primus.errors import UserError

LR_HELP = "Learning rates, of which one is chosen within the training windows; repeat the option."


def finetune(
    labelled: Annotated[Path, typer.Argument(help="A folder of labelled recordings, or one recording.")],
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder to write: a model with head.json, head.safetensors and report.html.")],
    labels: labelling.Labels = None,
    participants: labelling.Participants = None,
    match: labelling.Match = None,
    share: labelling.Share = 0.5,
    steps: Annotated[int, typer.Option(help="Optimiser steps.", min=1)] = 100,
    batch_size: Annotated[int, typer.Option(help="Windows in a step.", min=1)] = 32,
    lr: Annotated[list[float] | None, typer.Option(help=LR_HELP)] = None,
    folds: labelling.Folds = 5,
    seed: labelling.Seed = 0,
    unscored: Annotated[bool, typer.Option("--unscored", help="Train without cross-validation, as from one participant alone.")] = False,
    hop: encoding.Hop = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    missing_gyro: encoding.MissingGyro = "refuse",
    short: encoding.Short = "reflect",
    threads: encoding.Threads = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune encoder and head together, tested on people (or files) that they were not trained on, beside a probe on the same folds.

    `primus probe predict --probe OUT` uses the result, as does `ImuEncoder.from_pretrained(OUT)`.
    """
    from primus.adapt.finetuning import finetune as train
    from primus.adapt.head import DESCRIPTION
    from primus.adapt.labelled import read_labelled
    from primus.adapt.labelled_features import is_feature_file
    from primus.evaluation.finetune import FinetuneSettings
    from primus.inference.contract import open_encoder

    folder_to_write(out, DESCRIPTION)
    if is_feature_file(labelled):
        raise UserError(f"{labelled} is a file of features; fine-tuning needs the recordings themselves")
    try:
        settings = FinetuneSettings(steps=steps, batch_size=batch_size, **({"lr": tuple(sorted(set(lr)))} if lr else {}))  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(str(error).replace("fewshot.finetune.", "--")) from None
    where = labelling.label_source(labels, participants, match, share, time_unit, accel_unit, gyro_unit)
    policy = encoding.window_policy(hop, missing_gyro, short)
    encoding.one_thread()
    encoding.sum_up_guesses()
    encoder = open_encoder(model)
    rows = read_labelled(labelled, encoder.inputs, where, policy)
    tuned = train(rows, encoder, model, settings, folds=folds, seed=seed, scored=not unscored, threads=encoding.side_by_side(threads))
    tuned.save(out)
    labelling.say_trained(tuned.head.about, out, as_json)
