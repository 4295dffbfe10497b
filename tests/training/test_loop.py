"""The loop: it learns, resumes bit for bit, stops on what is not finite, and validation changes nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from primus.augment import Transform
from primus.errors import UserError
from primus.models.encoder import InputContract
from primus.training import loop
from primus.training.checkpoint import Checkpoint
from primus.training.loop import StepReport, TrainingResult, train
from primus.training.method import (
    EncoderSettings,
    MethodSettings,
    NegativeSettings,
    NeighbourSettings,
    TemperatureSettings,
    make_encoder,
    make_objective,
)
from primus.training.resident import ResidentSegments, load_segments, split_rows, thin_alignment
from primus.training.settings import OptimiserSettings, TrainingSettings
from primus.work_cache import WorkCache
from tests.synthetic_segments import write_corpus

PRIMUS = MethodSettings(lambda_ss=1, lambda_mm=1, lambda_nn=1)
METHODS = {
    "primus": PRIMUS,
    "simclr": MethodSettings(lambda_ss=1),
    "mm+nn": MethodSettings(lambda_mm=1, lambda_nn=1),
    "ss+nn": MethodSettings(lambda_ss=1, lambda_nn=1, nn=NeighbourSettings(terms="coupled", exclude="none")),
    "multitask": MethodSettings(objective="multitask"),
}
QUICK = TrainingSettings(
    batch_size=16, epochs=4, augment=(Transform("noise", 0.5, 0.1), Transform("time_warp", 0.7), Transform("scaling")), checkpoint_every_s=0.0
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[ResidentSegments, dict[str, np.ndarray]]:
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root)
    data, table, _ = load_segments(root / "segments", {name: root / "embeddings" / f"{name}.h5" for name in ("video", "text")})
    from primus.artifacts import read_table

    return data, split_rows(table, read_table(root / "segments" / "splits.parquet"), 0)


def run(corpus: tuple, method: MethodSettings = PRIMUS, settings: TrainingSettings = QUICK, checkpoint=None, report=None, **kwargs) -> TrainingResult:  # type: ignore[no-untyped-def, type-arg]
    data, rows = corpus
    encoder = make_encoder(EncoderSettings(feature_dim=24), data.embedding_dim, InputContract(), 0)
    objective = make_objective(method, kwargs.pop("temperature", TemperatureSettings()), NegativeSettings(), ("video", "text"), 24, 0)
    assert objective is not None
    return train(data, rows["train"], kwargs.pop("val", rows["val"]), encoder, objective, settings, 0, checkpoint, report, **kwargs)


class Killed(Exception):
    pass


def killer(at: int):  # type: ignore[no-untyped-def]
    def report(step: StepReport) -> None:
        if step.step == at:
            raise Killed

    return report


def same(left: TrainingResult, right: TrainingResult) -> None:
    for name, value in left.last.items():
        assert torch.equal(value, right.last[name]), name
    for name, value in left.best.items():
        assert torch.equal(value, right.best[name]), name
    assert left.progress.history == right.progress.history
    assert left.facts == right.facts


@pytest.mark.parametrize("name", METHODS)
def test_killed_at_any_step_the_continued_run_is_the_uninterrupted_one(name: str, corpus: tuple, tmp_path: Path) -> None:  # type: ignore[type-arg]
    torch.set_num_threads(1)
    whole = run(corpus, METHODS[name])
    steps = whole.facts["steps"]
    checkpoint = Checkpoint(WorkCache("pretrain", tmp_path), "k" * 64)
    for at in range(1, steps + 1, 1 if name == "primus" else 4):
        with pytest.raises(Killed):
            run(corpus, METHODS[name], checkpoint=checkpoint, report=killer(at))
    same(run(corpus, METHODS[name], checkpoint=checkpoint), whole)


def test_a_finished_run_is_recalled_without_a_step(corpus: tuple, tmp_path: Path) -> None:  # type: ignore[type-arg]
    checkpoint = Checkpoint(WorkCache("pretrain", tmp_path), "k" * 64)
    first = run(corpus, checkpoint=checkpoint)
    steps: list[int] = []
    same(run(corpus, checkpoint=checkpoint, report=lambda step: steps.append(step.step)), first)
    assert steps == []


def test_a_damaged_state_is_not_used(corpus: tuple, tmp_path: Path) -> None:  # type: ignore[type-arg]
    checkpoint = Checkpoint(WorkCache("pretrain", tmp_path), "k" * 64)
    with pytest.raises(Killed):
        run(corpus, checkpoint=checkpoint, report=killer(5))
    (entry,) = tmp_path.rglob("*.entry")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    entry.write_bytes(content)
    same(run(corpus, checkpoint=checkpoint), run(corpus))


def test_it_learns(corpus: tuple) -> None:  # type: ignore[type-arg]
    history = run(corpus, settings=TrainingSettings(batch_size=16, epochs=30)).progress.history
    for term in ("ss", "mm_video", "mm_text"):
        assert history[-1][f"train/{term}"] < 0.8 * history[0][f"train/{term}"], term
    assert history[-1]["val/total"] < history[0]["val/total"]
    assert history[-1]["neighbours/label"] > 0.6
    assert history[-1]["neighbours/self"] == history[-1]["neighbours/overlap"] == 0


def test_validation_leaves_training_alone(corpus: tuple) -> None:  # type: ignore[type-arg]
    often = run(corpus, settings=TrainingSettings(batch_size=16, epochs=4, validate_every=1))
    once = run(corpus, settings=TrainingSettings(batch_size=16, epochs=4, validate_every=4))
    assert len(often.progress.history) == 4
    assert len(once.progress.history) == 1
    for name, value in often.last.items():
        assert torch.equal(value, once.last[name]), name
    assert often.progress.history[-1]["val/total"] == once.progress.history[-1]["val/total"]


def test_best_weights_are_those_of_the_lowest_validation_loss(corpus: tuple) -> None:  # type: ignore[type-arg]
    settings = TrainingSettings(batch_size=16, epochs=12, optimiser=OptimiserSettings(lr=0.02, schedule="constant"))
    result = run(corpus, settings=settings)
    totals = [row["val/total"] for row in result.progress.history]
    assert result.progress.history[int(np.argmin(totals))]["step"] == result.facts["best_step"] == result.progress.best_step
    until_best = run(corpus, settings=TrainingSettings(batch_size=16, steps=result.facts["best_step"], optimiser=settings.optimiser))
    for name, value in result.best.items():
        assert torch.equal(value, until_best.last[name]), name


def test_patience_ends_the_run(corpus: tuple) -> None:  # type: ignore[type-arg]
    settings = TrainingSettings(batch_size=16, epochs=200, patience=2, optimiser=OptimiserSettings(lr=0.02, schedule="constant"))
    result = run(corpus, settings=settings)
    assert result.facts["steps"] < 200 * result.facts["steps_per_epoch"]
    assert result.facts["steps"] == result.facts["best_step"] + 2 * result.facts["steps_per_epoch"]


def test_without_validation_rows_the_last_weights_count(corpus: tuple) -> None:  # type: ignore[type-arg]
    result = run(corpus, val=np.array([], dtype=np.int64))
    assert all(torch.equal(value, result.last[name]) for name, value in result.best.items())
    assert not any(name.startswith("val/") for name in result.progress.history[0])
    assert "health/multimodal/effective_rank" in result.progress.history[0]


def test_where_validation_lacks_what_the_objective_needs_the_last_weights_count(corpus: tuple) -> None:  # type: ignore[type-arg]
    data, rows = corpus
    position = {name: column.copy() for name, column in data.position.items()}
    for column in position.values():
        column[rows["val"]] = -1
    result = run((replace(data, position=position), rows), MethodSettings(lambda_mm=1), replace(QUICK, patience=1))
    assert result.progress.step == result.progress.best_step == 4 * result.facts["steps_per_epoch"], "patience has nothing to wait for"
    assert all(torch.equal(result.best[name], result.last[name]) for name in result.last)
    assert not [name for row in result.progress.history for name in row if name.startswith("val/")]
    assert "val/mm_video" in run(corpus, MethodSettings(lambda_mm=1)).progress.history[-1]


def test_a_term_is_a_mean_over_the_rows_that_have_what_it_needs(corpus: tuple) -> None:  # type: ignore[type-arg]
    data, rows = corpus
    seen: list[tuple[float, int]] = []
    real = loop.forward_pass

    def spy(encoder, objective, batch, *others):  # type: ignore[no-untyped-def]
        done = real(encoder, objective, batch, *others)
        if encoder.training:
            seen.append((done.terms["mm_video"].item(), int(batch.present["video"].sum())))
        return done

    thinned = thin_alignment(data, rows["train"], 0.3, "segment", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "forward_pass", spy)
        result = run((thinned, rows), MethodSettings(lambda_ss=1, lambda_mm=1), replace(QUICK, epochs=1, batch_size=5))
    assert min(count for _, count in seen) < max(count for _, count in seen)
    expected = sum(value * count for value, count in seen) / sum(count for _, count in seen)
    assert result.progress.history[-1]["train/mm_video"] == pytest.approx(expected, rel=1e-6)


def test_one_validation_segment_is_enough(corpus: tuple) -> None:  # type: ignore[type-arg]
    _, rows = corpus
    last = run(corpus, val=rows["val"][:1]).progress.history[-1]
    assert "val/total" in last
    assert all(np.isfinite(value) for value in last.values())


def test_what_is_not_finite_in_validation_stops_with_step_and_term(corpus: tuple) -> None:  # type: ignore[type-arg]
    data, rows = corpus
    imu = np.array(data.imu)
    imu[rows["val"][0]] = np.nan
    with pytest.raises(UserError, match=r"training stopped at step \d+: val/ss is nan \(no state was kept\)"):
        run((replace(data, imu=imu), rows))


@pytest.mark.parametrize("where", ["ss", "mm_video"])
def test_what_is_not_finite_stops_with_step_and_term(where: str, corpus: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[type-arg]
    import primus.training.loop as loop

    original, calls = loop.forward_pass, []

    def poisoned(*args, **kwargs):  # type: ignore[no-untyped-def]
        done = original(*args, **kwargs)
        calls.append(None)
        if len(calls) == 6:
            done.terms[where] = done.terms[where] * float("nan")
        return done

    monkeypatch.setattr(loop, "forward_pass", poisoned)
    checkpoint = Checkpoint(WorkCache("pretrain", tmp_path), "k" * 64)
    with pytest.raises(UserError, match=f"step 5: {where} is nan"):
        run(corpus, checkpoint=checkpoint)
    monkeypatch.undo()
    same(run(corpus, checkpoint=checkpoint), run(corpus))


def test_only_the_clamped_temperature_stays_within_bounds(corpus: tuple) -> None:  # type: ignore[type-arg]
    settings = TrainingSettings(batch_size=16, epochs=20, optimiser=OptimiserSettings(name="adam", temperature_lr=1.0, schedule="constant"))
    wild = run(corpus, settings=settings, temperature=TemperatureSettings(kind="raw")).progress.history
    kept = run(corpus, settings=settings).progress.history
    assert any(not 0.01 <= row[tau] <= 1 for row in wild for tau in ("tau_ss", "tau_mm"))
    assert all(0.0099 <= row[tau] <= 1.0001 for row in kept for tau in ("tau_ss", "tau_mm"))


def test_too_few_segments(corpus: tuple) -> None:  # type: ignore[type-arg]
    data, rows = corpus
    with pytest.raises(UserError, match="at least 2 training segments, found 1"):
        run((data, {"train": rows["train"][:1], "val": rows["val"]}))


def test_same_start_for_every_method() -> None:
    first, second = (make_encoder(EncoderSettings(), 512, InputContract(), 3) for _ in range(2))
    before = torch.get_rng_state()
    assert all(torch.equal(left, right) for left, right in zip(first.parameters(), second.parameters(), strict=True))
    make_encoder(EncoderSettings(), 512, InputContract(), 4)
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"


def test_bfloat16_stays_close_and_keeps_float32_weights(corpus: tuple) -> None:  # type: ignore[type-arg]
    plain, half = (run(corpus, settings=TrainingSettings(batch_size=16, epochs=3, precision=precision)) for precision in ("float32", "bfloat16"))  # type: ignore[arg-type]
    assert all(value.dtype == torch.float32 for value in half.last.values())
    assert half.progress.history[0]["train/total"] == pytest.approx(plain.progress.history[0]["train/total"], rel=0.02)
    assert any(not torch.equal(value, plain.last[name]) for name, value in half.last.items()), "the precision had no effect"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_is_the_same_up_to_rounding(corpus: tuple) -> None:  # type: ignore[type-arg]
    settings = replace(QUICK, epochs=1)
    plain = run(corpus, settings=settings)
    counters.clear()
    compiled = run(corpus, settings=replace(settings, compile=True))
    assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    assert plain.last.keys() == compiled.last.keys(), "compiling renames no weight"
    for name, value in plain.progress.history[-1].items():
        if name.startswith(("train/", "val/")):
            assert compiled.progress.history[-1][name] == pytest.approx(value, rel=1e-3), name


def test_without_a_compiler_it_is_said(corpus: tuple, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[type-arg]
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match=r"pretrain\.compile needs a C\+\+ compiler, and no-such-compiler is not there"):
        run(corpus, settings=replace(QUICK, compile=True))


def test_only_temperatures_in_use_are_reported(corpus: tuple) -> None:  # type: ignore[type-arg]
    row = run(corpus, METHODS["simclr"]).progress.history[0]
    assert "tau_ss" in row
    assert "tau_mm" not in row
