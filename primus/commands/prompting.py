"""Commands that compare motion with words."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from primus.commands import encoding_options as encoding
from primus.commands.options import MODEL_HELP, AsJson, Model, file_to_write
from primus.errors import UserError

ClipModel = Annotated[
    str | None, typer.Option(help="Text encoder that the model was pretrained with (embed.encoder.model), where its config.json does not say.")
]
ClipWeights = Annotated[str | None, typer.Option(help="Its weights (embed.encoder.weights): a folder, a file, a tag, or $NAME.")]


def zeroshot(
    paths: Annotated[list[Path], typer.Argument(help="Recordings and folders of them, or one features.parquet of `primus encode`.")],
    prompts: Annotated[Path, typer.Option(help='Classes in words: JSON or YAML {class: [texts]}, or lines "class: text".')],
    model: Model,
    out: Annotated[Path, typer.Option(help="Parquet file to write: source, start_s, end_s, label, similarity, and the similarity to each class.")],
    clip_model: ClipModel = None,
    clip_weights: ClipWeights = None,
    hop: encoding.Hop = None,
    time_unit: encoding.TimeUnit = None,
    accel_unit: encoding.AccelUnit = None,
    gyro_unit: encoding.GyroUnit = None,
    missing_gyro: encoding.MissingGyro = "refuse",
    short: encoding.Short = "reflect",
    threads: encoding.Threads = None,
    as_json: AsJson = False,
) -> None:
    """Tell classes apart by their names in words, without any label."""
    from primus.adapt.prediction import features_of
    from primus.adapt.prompting import class_vectors, classify, language_warnings, read_prompts, require_text_space, text_encoder_of
    from primus.inference.contract import open_encoder
    from primus.inference.window_sequence import EncodeSettings

    file_to_write(out, ".parquet")
    texts = read_prompts(prompts)
    units = encoding.stated_units(time_unit, accel_unit, gyro_unit)
    settings = EncodeSettings(encoding.window_policy(hop, missing_gyro, short), None, units)
    encoding.one_thread()
    encoding.sum_up_guesses()
    encoder = open_encoder(model)
    require_text_space(encoder, model)
    words = text_encoder_of(encoder, model, clip_model, clip_weights)
    for line in language_warnings(words):
        print(f"warning: {line}", file=sys.stderr)
    found = class_vectors(texts, words, encoder, model)
    with features_of(paths, encoder, model, out, settings, encoding.side_by_side(threads), encoding.tracked) as features:
        labels = classify(features.path, list(texts), found, out)
    encoding.say_classes(out, labels, features.encoded, features.said, as_json)


def retrieve(
    text: Annotated[str, typer.Argument(help='What to look for, e.g. "walking up stairs".')],
    features: Annotated[Path, typer.Option("--in", help="features.parquet of `primus encode`.")],
    model: Annotated[str, typer.Option(help=f"{MODEL_HELP} The one that encoded the features.")],
    top: Annotated[int, typer.Option(help="How many windows.", min=1, max=100_000)] = 10,
    clip_model: ClipModel = None,
    clip_weights: ClipWeights = None,
    as_json: AsJson = False,
) -> None:
    """Find the windows that are nearest to a sentence."""
    from primus.adapt.labelled_features import is_feature_file, require_model
    from primus.adapt.prompting import encode_texts, language_warnings, nearest_windows, require_text_space, text_encoder_of
    from primus.inference.contract import open_encoder

    if not text.strip():
        raise UserError("the text is empty; say what to look for")
    if not is_feature_file(features):
        raise UserError(f"{features} is no file of features; write one with `primus encode`")
    encoding.one_thread()
    encoder = open_encoder(model)
    require_text_space(encoder, model)
    words = text_encoder_of(encoder, model, clip_model, clip_weights)
    for line in (*require_model(features, encoder, model), *language_warnings(words)):
        print(f"warning: {line}", file=sys.stderr)
    query = encode_texts([text], words, encoder, model)[0]
    found = nearest_windows(features, query, top)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for item in found:
        print(f"{item['similarity']:+.3f}  {item['start_s']:12.3f} {item['end_s']:12.3f}  {item['source']}")
