"""The whole objective against an independent, loop-written float64 twin; its settings; who gets gradients from whom."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from primus.losses.objective import PrimusObjective
from primus.models.encoder import EncoderOutput
from primus.models.feature_queue import FeatureQueue
from primus.models.rows import Rows

WIDTH = 6
PRESETS = yaml.safe_load((Path(__file__).resolve().parents[2] / "params.yaml").read_text())["presets"]


def options_of(preset: str) -> dict[str, str]:
    """What a preset of params.yaml says about the objective, as its arguments."""
    neighbours, negatives = PRESETS[preset]["loss"]["nn"], PRESETS[preset]["pretrain"]["negatives"]
    return {
        "nn_terms": neighbours["terms"],
        "nn_exclude": neighbours["exclude"],
        "negatives_exclude": negatives["exclude"],
        "shared_neighbours": negatives["shared_neighbours"],
        "absent": negatives["absent"],
    }


OURS, PUBLISHED = options_of("ours"), options_of("published")


@dataclass
class Setting:
    """A batch and a queue, drawn from one seed."""

    first: EncoderOutput
    second: EncoderOutput
    embeddings: dict[str, torch.Tensor]
    present: dict[str, torch.Tensor]
    rows: Rows
    queue: FeatureQueue


def draw(seed: int, batch: int = 7, queued: int = 20, share_present: float = 0.7) -> Setting:
    generator = torch.Generator().manual_seed(seed)

    def normal(count: int) -> torch.Tensor:
        return torch.randn(count, WIDTH, generator=generator, dtype=torch.float64)

    def identities(count: int, first: int) -> Rows:
        take = torch.randint(0, 4, (count,), generator=generator)
        start = torch.randint(0, 12, (count,), generator=generator) * 1100
        number = torch.arange(first, first + count)
        text = torch.randint(-1, 5, (count,), generator=generator)
        return Rows(number, take, start, start + 5000, text, take, take)

    present = {name: torch.rand(batch, generator=generator) < share_present for name in ("video", "text")}
    embeddings = {name: normal(batch) * has[:, None] for name, has in present.items()}
    queue = FeatureQueue(queued, {"imu": WIDTH, "video": WIDTH, "text": WIDTH})
    queue.vectors = {name: bank.double() for name, bank in queue.vectors.items()}
    queue.enqueue({name: normal(queued) for name in queue.vectors}, identities(queued, 100))
    outputs = [EncoderOutput(normal(batch), normal(batch), normal(batch)) for _ in range(2)]
    return Setting(outputs[0], outputs[1], embeddings, present, identities(batch, 0), queue)


def cosine(left: torch.Tensor, right: torch.Tensor) -> float:
    lengths = float(left.norm()) * float(right.norm())
    return float(left @ right) / lengths if lengths > 0 else 0.0


def twin(case: Setting, weights: tuple[float, float, float], retrieval: str, options: dict[str, str]) -> dict[str, float]:
    """The objective as the method describes it, pair by pair (temperatures 0.1)."""
    rows, queue, count = case.rows, case.queue, len(case.rows)
    ss, mm, nn = weights
    coupled = options["nn_terms"] == "coupled"
    if coupled and mm == 0:
        retrieval = "imu"

    def shares_time(take, start, end, other) -> bool:  # type: ignore[no-untyped-def]
        return take == other[1] and start < other[3] and end > other[2]

    def false_negative(i: int, other) -> bool:  # type: ignore[no-untyped-def]
        if options["negatives_exclude"] == "none":
            return False
        if shares_time(int(rows.take[i]), int(rows.start_ms[i]), int(rows.end_ms[i]), other):
            return True
        return int(rows.text[i]) == other[4] and other[4] != -1

    table = [[int(value) for value in line] for line in rows.stacked()]
    queue_table = [[int(value) for value in line] for line in queue.table]

    def nce(queries, keys, valid, in_denominator, excluded) -> float:  # type: ignore[no-untyped-def]
        total, terms = 0.0, 0
        for i in range(count):
            if not valid[i]:
                continue
            others = [j for j in range(count) if j == i or (in_denominator[j] and not excluded(i, j))]
            logits = [cosine(queries[i], keys[j]) / 0.1 for j in others]
            total += math.log(sum(math.exp(value) for value in logits)) - cosine(queries[i], keys[i]) / 0.1
            terms += 1
        return total / terms if terms else 0.0

    def symmetric(queries, keys, valid, in_denominator, excluded) -> float:  # type: ignore[no-untyped-def]
        return nce(queries, keys, valid, in_denominator, excluded) + nce(keys, queries, valid, in_denominator, lambda i, j: excluded(j, i))

    def batch_excluded(i: int, j: int) -> bool:
        return false_negative(i, table[j])

    everyone = [True] * count
    terms: dict[str, float] = {}
    if ss:
        terms["ss"] = symmetric(case.first.self_supervised, case.second.self_supervised, everyone, everyone, batch_excluded)
    if mm:
        for name in ("video", "text"):
            has = case.present[name].tolist()
            denominator = has if options["absent"] == "leave" else everyone
            terms[f"mm_{name}"] = symmetric(case.first.multimodal, case.embeddings[name], has, denominator, batch_excluded)
    if nn and (not coupled or ss or mm):
        neighbour: list[int | None] = []
        for i in range(count):
            by = retrieval if retrieval == "imu" or bool(case.present[retrieval][i]) else "imu"
            query = case.first.self_supervised[i] if by == "imu" else case.embeddings[by][i]  # type: ignore[index]
            allowed = [
                j
                for j in range(len(queue))
                if options["nn_exclude"] == "none" or not shares_time(table[i][1], table[i][2], table[i][3], queue_table[j])
            ]
            neighbour.append(max(allowed, key=lambda j: cosine(query.float(), queue.vectors[by][j].float())) if allowed else None)
        found = [place is not None for place in neighbour]
        places = [place or 0 for place in neighbour]

        def excluded(i: int, j: int) -> bool:
            shared = options["shared_neighbours"] == "exclude" and queue_table[places[i]][0] == queue_table[places[j]][0]
            return shared or batch_excluded(i, j) or false_negative(i, queue_table[places[j]])

        if not coupled or ss:
            terms["nn_imu"] = symmetric(case.first.self_supervised, queue.vectors["imu"][places], found, found, excluded)
        if not coupled or mm:
            for name in ("video", "text"):
                terms[f"nn_{name}"] = symmetric(case.first.multimodal, queue.vectors[name][places], found, found, excluded)
    weight = {"ss": ss, "mm_video": mm, "mm_text": mm, "nn_imu": nn, "nn_video": nn, "nn_text": nn}
    return terms | {"total": sum(weight[name] * value for name, value in terms.items())}


def evaluate(case: Setting, objective: PrimusObjective) -> dict[str, torch.Tensor]:
    objective = objective.double()
    neighbours = objective.retrieve(case.queue, case.first, case.embeddings, case.present, case.rows) if objective.uses_queue else None
    return objective(case.first, case.second, case.embeddings, case.present, case.rows, neighbours)


WEIGHTS = [(1.0, 0, 0), (0, 1.0, 0), (1.0, 0, 1.0), (0, 1.0, 1.0), (1.0, 1.0, 0), (1.0, 1.0, 1.0), (0, 0, 1.0), (0.5, 0.25, 2.0)]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    weights=st.sampled_from(WEIGHTS),
    retrieval=st.sampled_from(["video", "text", "imu"]),
    preset=st.sampled_from(["ours", "published"]),
    share_present=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_equals_its_twin(seed: int, weights: tuple[float, float, float], retrieval: str, preset: str, share_present: float) -> None:
    options = OURS if preset == "ours" else PUBLISHED
    if preset == "published" and weights == (0, 0, 1.0):
        return  # neither neighbour term is on: the objective has no term at all, refused below
    case = draw(seed, share_present=share_present)
    ss, mm, nn = weights
    temperature = "raw" if preset == "published" else "log_clamped"
    objective = PrimusObjective(ss, mm, nn, retrieval=retrieval, temperature=temperature, **options)  # type: ignore[arg-type]
    found = {name: value.item() for name, value in evaluate(case, objective).items()}
    expected = twin(case, weights, retrieval, options)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=2e-5, abs=1e-9)  # temperatures are float32


@pytest.mark.parametrize("options", [OURS, PUBLISHED], ids=["ours", "published"])
def test_gradients_by_finite_differences(options: dict[str, str]) -> None:
    case = draw(3)
    objective = PrimusObjective(0.5, 0.5, 0.5, **options).double()  # type: ignore[arg-type]
    neighbours = objective.retrieve(case.queue, case.first, case.embeddings, case.present, case.rows)

    def total(ss, mm, second):  # type: ignore[no-untyped-def]
        outputs = EncoderOutput(case.first.feature, ss, mm), EncoderOutput(case.first.feature, second, mm)
        return objective(*outputs, case.embeddings, case.present, case.rows, neighbours)["total"]

    leaves = [part.clone().requires_grad_() for part in (case.first.self_supervised, case.first.multimodal, case.second.self_supervised)]  # type: ignore[union-attr]
    assert torch.autograd.gradcheck(total, leaves)


def test_an_imu_only_row_learns_from_its_neighbours_embeddings() -> None:
    case = draw(1, share_present=1.0)
    for name in case.present:
        case.present[name][2] = False
    multimodal = case.first.multimodal.requires_grad_()  # type: ignore[union-attr]
    alone = evaluate(case, PrimusObjective(0, 1, 0, **OURS))  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(alone["total"], multimodal)
    assert bool((gradient[2] == 0).all()), "without neighbours it has no multimodal signal"
    terms = evaluate(case, PrimusObjective(0, 1, 1, **OURS))  # type: ignore[arg-type]
    for name in ("nn_video", "nn_text"):
        (gradient,) = torch.autograd.grad(terms[name], multimodal, retain_graph=True)
        assert gradient[2].abs().sum() > 0


def test_the_published_preset_is_what_was_released() -> None:
    assert PUBLISHED == {
        "nn_terms": "coupled",
        "nn_exclude": "none",
        "negatives_exclude": "none",
        "shared_neighbours": "keep",
        "absent": "negatives",
    }
    optimiser = PRESETS["published"]["pretrain"]["optimiser"]
    assert optimiser["temperature_lr"] == optimiser["lr"] == 2e-4, "one Adam for everything"


def test_two_rows_of_one_neighbour_are_not_contrasted_wherever_it_stands_in_the_queue() -> None:
    case = draw(5)
    queue = FeatureQueue(2, {"imu": WIDTH, "video": WIDTH, "text": WIDTH})
    queue.vectors = {name: bank.double() for name, bank in queue.vectors.items()}
    vector = torch.randn(1, WIDTH).repeat(2, 1)
    twice = Rows(*(torch.full((2,), 900 + number) for number in range(7)))
    queue.enqueue({"imu": torch.stack([case.first.self_supervised[0], case.first.self_supervised[1]]), "video": vector, "text": vector}, twice)  # type: ignore[index]
    lonely = {name: torch.zeros(len(case.rows), dtype=torch.bool) for name in case.present}
    objective = PrimusObjective(0, 0, 1)
    neighbours = objective.retrieve(queue, case.first, case.embeddings, lonely, case.rows)
    assert set(neighbours.index.tolist()) == {0, 1}
    terms = objective(case.first, None, case.embeddings, lonely, case.rows, neighbours)
    assert terms["nn_video"].item() == pytest.approx(0.0, abs=1e-6), "the one segment that all rows found was made a negative of some"


@pytest.mark.parametrize("filler", [3.0, float("nan")])
def test_what_absent_rows_hold_has_no_influence(filler: float) -> None:
    case = draw(6, share_present=0.5)
    for options in (OURS, PUBLISHED):
        objective = PrimusObjective(0, 1, 0, **options)  # type: ignore[arg-type]
        filled = {name: value.masked_fill(~case.present[name][:, None], filler) for name, value in case.embeddings.items()}
        totals = [objective(case.first, None, given, case.present, case.rows)["total"] for given in (case.embeddings, filled)]
        assert torch.equal(*totals)


def test_what_is_missing_is_named() -> None:
    case = draw(7)
    arguments = (case.embeddings, case.present, case.rows)
    with pytest.raises(ValueError, match="needs the encoder's output on the augmented windows"):
        PrimusObjective(1, 0, 0)(case.first, None, *arguments)
    with pytest.raises(ValueError, match="needs `neighbours`"):
        PrimusObjective(0, 0, 1)(case.first, None, *arguments)
    with pytest.raises(ValueError, match="heads=True"):
        PrimusObjective(1, 0, 0)(EncoderOutput(case.first.feature, None, None), None, *arguments)


def test_a_zero_weight_costs_nothing() -> None:
    only_mm = PrimusObjective(0, 1, 0)
    assert not only_mm.uses_second_view
    assert not only_mm.uses_queue
    case = draw(2)
    terms = only_mm.double()(case.first, None, case.embeddings, case.present, case.rows)
    assert sorted(terms) == ["mm_text", "mm_video", "total"]
    only_ss = PrimusObjective(1, 0, 0)
    assert sorted(only_ss.double()(case.first, case.second, {}, {}, case.rows)) == ["ss", "total"]
    assert only_ss.trained_projections == ("self_supervised",)
    assert only_mm.trained_projections == ("multimodal",)


def test_empty_queue_gives_zero_neighbour_terms_with_a_gradient_path() -> None:
    case = draw(4)
    case.queue = FeatureQueue(5, {"imu": WIDTH, "video": WIDTH, "text": WIDTH})
    case.first.multimodal.requires_grad_()  # type: ignore[union-attr]
    terms = evaluate(case, PrimusObjective(0, 0, 1))
    assert terms["total"].item() == 0
    terms["total"].backward()


def test_all_absent_batch_under_the_multimodal_loss_alone() -> None:
    case = draw(5, share_present=0.0)
    case.first.multimodal.requires_grad_()  # type: ignore[union-attr]
    terms = evaluate(case, PrimusObjective(0, 1, 0))
    assert terms["total"].item() == 0
    terms["total"].backward()
    assert bool((case.first.multimodal.grad == 0).all())  # type: ignore[union-attr]


def test_enqueues_only_complete_rows() -> None:
    case, objective = draw(6), PrimusObjective()
    queue = objective.make_queue(50, WIDTH, WIDTH)
    objective.enqueue(queue, case.first, case.embeddings, case.present, case.rows)
    complete = case.present["video"] & case.present["text"]
    assert queue.table[: len(queue), 0].tolist() == case.rows.segment[complete].tolist()


def test_local_groups_contrast_only_within_themselves() -> None:
    case = draw(7, batch=8, share_present=1.0)
    whole = evaluate(case, PrimusObjective(1, 1, 0, negatives_exclude="none", group=4))
    halves = []
    for part in (slice(0, 4), slice(4, 8)):
        piece = Setting(
            case.first.map(lambda value, part=part: value[part]), case.second.map(lambda value, part=part: value[part]),
            {name: value[part] for name, value in case.embeddings.items()}, {name: value[part] for name, value in case.present.items()},
            case.rows[part], case.queue,
        )  # fmt: skip
        halves.append(evaluate(piece, PrimusObjective(1, 1, 0, negatives_exclude="none"))["total"].item())
    assert whole["total"].item() == pytest.approx(sum(halves) / 2, rel=1e-9)


def test_temperatures_serve_their_own_terms() -> None:
    case, objective = draw(8), PrimusObjective()
    terms = evaluate(case, objective)
    tau_ss, tau_mm = objective.tau_ss.parameter, objective.tau_mm.parameter
    for names, used, unused in ((("ss", "nn_imu"), tau_ss, tau_mm), (("mm_video", "mm_text", "nn_video", "nn_text"), tau_mm, tau_ss)):
        for name in names:
            gradients = torch.autograd.grad(terms[name], (used, unused), retain_graph=True, allow_unused=True)
            assert gradients[0] is not None
            assert gradients[1] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_nn": -1.0}, "lambda_nn must be >= 0 and finite, found -1"),
        ({"lambda_ss": float("nan")}, "lambda_ss"),
        ({"lambda_ss": 0, "lambda_mm": 0, "lambda_nn": 0}, "nothing would be trained"),
        ({"lambda_ss": 0, "lambda_mm": 0, "lambda_nn": 1, "nn_terms": "coupled"}, "nothing would be trained"),
        ({"modalities": ("text",)}, "retrieval is 'video'"),
        ({"modalities": (), "lambda_nn": 0}, "needs at least one modality"),
        ({"retrieval": "audio"}, "retrieval must be one of 'video', 'text', 'imu', found 'audio'"),
        ({"nn_terms": "coupld"}, "nn_terms must be one of 'both', 'coupled'"),
        ({"nn_exclude": "overlaps"}, "nn_exclude must be one of"),
        ({"negatives_exclude": "overlap"}, "negatives_exclude must be one of 'none', 'overlap_and_same_text', found 'overlap'"),
        ({"shared_neighbours": "Exclude"}, "shared_neighbours must be one of"),
        ({"absent": "leaves"}, "absent must be one of 'leave', 'negatives'"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrimusObjective(**options)  # type: ignore[arg-type]
