"""Words and motion in one space: classes by their prompts, without labels, and windows by a sentence.

Both need the frozen text encoder that pretraining aligned the projection with, and nothing else will do: another one's space has other axes.
"""

import heapq
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primus.adapt.labelled_features import about_features, feature_blocks, vectors
from primus.artifacts import atomic_path
from primus.embeddings.clip import single_threaded
from primus.embeddings.demo_clip import NAME as DEMO
from primus.embeddings.text import clean_text
from primus.embeddings.weights import DEMO_WEIGHTS, load_encoder
from primus.errors import UserError
from primus.evaluation.prompts import ClassPrompts
from primus.evaluation.vectors import unit
from primus.inference.encoding import projection_name
from primus.models.encoder import ImuEncoder

FORM = 'expected JSON or YAML {class: [texts]}, or lines "class: text"'


@dataclass(frozen=True)
class TextEncoderChoice:
    """An encoder as `embed.encoder` of params.yaml names it."""

    model: str
    weights: str


def read_prompts(path: Path) -> dict[str, list[str]]:
    """Class -> its prompts, from JSON, YAML, the prompt files of this package, or lines "class: text".

    Raises:
        UserError: the file is missing, is none of these, or a text stands for two classes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); {FORM}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text; {FORM}") from None
    found = _structured(path, text) if path.suffix.lower() in (".json", ".yaml", ".yml") else _lines(path, text)
    for label, texts in found.items():
        if not texts:
            raise UserError(f"{path}: class {label!r} has no text; {FORM}")
    if len(found) < 2:
        raise UserError(f"{path} names {len(found)} class(es); two or more can be told apart")
    owners = Counter(clean_text(text) for texts in found.values() for text in set(texts))
    if twice := sorted(text for text, count in owners.items() if count > 1):
        raise UserError(f"{path}: {twice[0]!r} stands for two classes; no prompt could tell them apart")
    return found


def _structured(path: Path, text: str) -> dict[str, list[str]]:
    try:
        if path.suffix.lower() == ".json":
            content = json.loads(text)
        else:
            import yaml  # type: ignore[import-untyped, unused-ignore]

            content = yaml.safe_load(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be parsed ({' '.join(str(error).split())[:200]}); {FORM}") from None
    except Exception as error:  # yaml.YAMLError, known only where YAML is read
        raise UserError(f"{path} cannot be parsed ({' '.join(str(error).split())[:200]}); {FORM}") from None
    if isinstance(content, Mapping) and set(content) >= {"templates", "classes"}:
        try:
            phrases = {str(label): tuple(map(str, given)) for label, given in content["classes"].items()}
            prompts = ClassPrompts(path.stem, tuple(map(str, content["templates"])), phrases)
        except (AttributeError, TypeError, ValueError) as error:
            raise UserError(f"{path} is no prompt file ({error}); {FORM}") from None
        names = list(phrases)
        by_wording = prompts.texts(names)
        return {name: [texts[place] for texts in by_wording] for place, name in enumerate(names)}
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds {type(content).__name__}; {FORM}")
    found: dict[str, list[str]] = {}
    for label, given in content.items():
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(one, str) and one.strip() for one in texts):
            raise UserError(f"{path}: class {label!r} has {given!r} for texts; {FORM}")
        found[str(label)] = [one.strip() for one in texts]
    return found


def _lines(path: Path, text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label, separator, prompt = (part.strip() for part in line.partition(":"))
        if not separator or not label or not prompt:
            raise UserError(f"{path}, line {number}: {line.strip()!r}; {FORM}")
        found.setdefault(label, []).append(prompt)
    return found


def require_text_space(encoder: ImuEncoder, name: str) -> None:
    """Refuse a model whose projection was never aligned with text.

    Raises:
        UserError: it has no heads, or pretraining names another representation.
    """
    if encoder.mmcl_head is None:
        raise UserError(f"{name} has no projection heads, so its features cannot be compared with words; take a model pretrained with text")
    stated = encoder.metadata.get("representation")
    if (stated is not None and projection_name(encoder) != "multimodal") or stated == "feature":
        method = encoder.metadata.get("method", "unknown")
        raise UserError(f"{name} (method {method}) was trained without text, so words mean nothing to it; take one trained with text")


def text_encoder_of(encoder: ImuEncoder, name: str, model: str | None = None, weights: str | None = None) -> TextEncoderChoice:
    """Which text encoder the model's projections belong to: what its config.json names, else what is stated, else the demo's for a simulated run.

    Args:
        name: what the person calls the IMU encoder.
        model, weights: --clip-model and --clip-weights; config.json knows the model, but not where its weights lie.

    Raises:
        UserError: it is not known, or what is stated contradicts the model.
    """
    training = encoder.metadata
    recorded = training.get("text_encoder")
    known = recorded.get("model") if isinstance(recorded, Mapping) else None
    if isinstance(known, str):
        if model is not None and model != known:
            raise UserError(f"--clip-model is {model}, but {name} was trained with {known}; leave the option out")
        model = known
    elif model is None and (training.get("simulated") is True or training.get("profile") in ("demo", "tiny")):
        model = DEMO
    if model is None:
        raise UserError(
            f"{name} does not say which text encoder it was trained with; give --clip-model and --clip-weights, "
            "what `embed.encoder` of params.yaml was when it was pretrained"
        )
    weights = weights or (DEMO_WEIGHTS if model == DEMO else None)
    if weights is None:
        raise UserError(f"{name} was trained with the text encoder {model}; give its weights with --clip-weights: a folder, a file, a tag, or $NAME")
    return TextEncoderChoice(model, weights)


def language_warnings(choice: TextEncoderChoice) -> list[str]:
    """What a person must know of the text encoder before believing its answers, in words."""
    if choice.model != DEMO:
        return []
    return [
        f"the text encoder {DEMO} is the demo's, of fixed random weights: it knows nothing of language, so words it was not trained beside are noise"
    ]


def encode_texts(texts: Sequence[str], choice: TextEncoderChoice, encoder: ImuEncoder, name: str) -> NDArray[np.float64]:
    """Unit vectors (N, P) of texts, cleaned as narrations are.

    Raises:
        UserError: weights are missing or of another width than the projection, the model was trained with other weights, or a text is too long.
    """
    frozen = load_encoder(choice.model, choice.weights)
    identity = frozen.identity
    recorded = encoder.metadata.get("text_encoder")
    theirs = recorded.get("weights_sha256") if isinstance(recorded, Mapping) else None
    if theirs is not None and theirs != identity.weights_sha256:
        raise UserError(f"{name} was trained with text encoder weights {str(theirs)[:12]}, but these are {identity.weights_sha256[:12]}; give those")
    if identity.dim != encoder.projection_dim:
        found = f"{choice.model} gives texts of {identity.dim} numbers, but projections of {name} have {encoder.projection_dim}"
        raise UserError(f"{found}; they are of different spaces, give the text encoder it was pretrained with")
    cleaned = [clean_text(text) for text in texts]
    cut = frozen.truncated(cleaned)
    if cut.any():
        raise UserError(f"{cleaned[int(cut.argmax())]!r} is longer than the {identity.context_length} tokens of {choice.model}; shorten it")
    with single_threaded():
        return unit(frozen.encode_texts(cleaned))


def class_vectors(prompts: Mapping[str, Sequence[str]], choice: TextEncoderChoice, encoder: ImuEncoder, name: str) -> NDArray[np.float64]:
    """(C, P) unit vectors: the mean of a class's prompts."""
    texts = [text for given in prompts.values() for text in given]
    rows = encode_texts(texts, choice, encoder, name)
    ends = np.cumsum([len(given) for given in prompts.values()])
    return unit(np.stack([part.mean(axis=0) for part in np.split(rows, ends[:-1])]))


def require_projection(path: Path) -> None:
    """Refuse a file of features whose projections are not those that met text.

    Raises:
        UserError: it says so, or has no such column.
    """
    about = about_features(path)
    if "projection" not in pq.read_schema(path).names or (about is not None and about.get("projection") != "multimodal"):
        found = about.get("projection") if about else None
        raise UserError(f"{path} holds projections of kind {found}, which words cannot be compared with; encode with a model pretrained with text")


def classify(features: Path, classes: Sequence[str], prompts: NDArray[np.float64], out: Path) -> dict[str, int]:
    """Give every window the class whose prompts are nearest; returns label -> windows.

    `out` has the columns source, start_s, end_s, label, similarity (cosine, of that label) and `similarity_<class>` of every class.
    """
    require_projection(features)
    each = [(f"similarity_{name}", pa.float32()) for name in classes]
    place = [("source", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]
    about = {"format": "primus.zeroshot/1", "classes": list(classes)}
    schema = pa.schema([*place, ("label", pa.string()), ("similarity", pa.float32()), *each], {"primus": json.dumps(about, sort_keys=True)})
    counts: Counter[str] = Counter()
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as writer:
        for table, rows in _projections(features, prompts.shape[1]):
            cosine = (rows @ prompts.T).astype(np.float32)
            labels = np.array(classes, dtype=object)[cosine.argmax(axis=1)]
            counts.update(labels.tolist())
            columns = [*(table.column(name) for name in ("source", "start_s", "end_s")), pa.array(labels, pa.string()), pa.array(cosine.max(axis=1))]
            writer.write_table(pa.Table.from_arrays([*columns, *(pa.array(column) for column in cosine.T)], schema=schema))
    return dict(sorted(counts.items()))


def nearest_windows(features: Path, query: NDArray[np.float64], top: int) -> list[dict[str, Any]]:
    """The `top` windows whose projections are nearest to a text's unit vector (P,), nearest first: source, start_s, end_s, similarity."""
    require_projection(features)
    best: list[tuple[float, int, dict[str, Any]]] = []
    number = 0
    for table, rows in _projections(features, len(query)):
        cosine = rows @ query
        for row in np.argsort(-cosine, kind="stable")[:top].tolist():
            item = {name: table.column(name)[row].as_py() for name in ("source", "start_s", "end_s")}
            heapq.heappush(best, (float(cosine[row]), -(number + row), item))
            if len(best) > top:
                heapq.heappop(best)
        number += len(table)
    return [item | {"similarity": round(score, 6)} for score, _, item in sorted(best, key=lambda entry: entry[:2], reverse=True)]


def _projections(features: Path, width: int) -> Any:
    """Blocks of a file of features, with unit projections (n, P)."""
    for table in feature_blocks(features, ("source", "start_s", "end_s", "projection")):
        yield table, unit(vectors(table, "projection", width, features))
