"""The last state of a GRU, computed with fewer passes over memory than the stock operator needs.

Same equations and parameters as `torch.nn.GRU` (one layer, one direction, zero initial state). What it saves: products are those of
`primus.models.products`; state and input enter one product; gates leave it ready; what is left of the arithmetic happens in place, on data that
still lie in the cache; gradients of weights are summed over several steps at once. Outputs and gradients agree with the stock operator to
float32 rounding.

Under autocast to bfloat16 operands and results of the recurrent products are rounded to it (of the two gates: what leaves the sigmoid); what is
added up within a product, the candidate, states, weights and gradients of the arithmetic between products are in the weights' own type.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from primus.models.products import Product, product_over_rows

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input
SPAN_ROWS = 4096  # rows whose gradients are held at once: enough for fast products, few enough for the cache


class _LastState(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, narrow: torch.dtype) -> Tensor:
        batch, steps, width = x.shape
        hidden = weight_hh.shape[1]
        full = weight_hh.dtype
        by_time = x.transpose(0, 1).to(full).contiguous()  # (T, B, I)
        entering = x.new_empty(steps, batch, hidden + width, dtype=narrow)  # what enters step t: its state, then its input
        entering[0, :, :hidden] = 0
        entering[:, :, hidden:] = by_time

        weights = torch.cat([weight_hh, weight_ih], 1)
        weights[2 * hidden :, hidden:] = 0  # the reset gate stands between the candidate's two halves: its input half is a product of its own
        bias = torch.cat([(bias_ih + bias_hh)[: 2 * hidden], bias_hh[2 * hidden :]])
        parts = zip(weights.to(narrow).split(hidden), bias.to(narrow).split(hidden), strict=True)
        into_reset, into_update, into_candidate = (Product(weight, bias, batch) for weight, bias in parts)
        input_half = Product(weight_ih[2 * hidden :], bias_ih[2 * hidden :], batch)

        kept: list[Tensor] = []
        state = x.new_zeros(batch, hidden, dtype=full)
        for t in range(steps):
            reset = into_reset(entering[t], "sigmoid")
            update = into_update(entering[t], "sigmoid").to(full)
            recurrent_half = into_candidate.combined(entering[t], "mul", reset)
            candidate = input_half.combined(by_time[t], "add", recurrent_half.to(full))
            candidate.mul_(2).sigmoid_().mul_(2).sub_(1)  # tanh, at a fifth of its price
            torch.lerp(candidate, state, update, out=state)
            if t + 1 < steps:
                entering[t + 1, :, :hidden] = state
            kept += [reset, update, recurrent_half, candidate]
        context.save_for_backward(weight_ih, weight_hh, by_time, entering, *kept)
        return state

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight_ih, weight_hh, by_time, entering, *kept = context.saved_tensors
        steps, batch, width = by_time.shape
        hidden = weight_hh.shape[1]
        two, full, narrow = 2 * hidden, weight_hh.dtype, entering.dtype
        to_state = Product(weight_hh.T.to(narrow), None, batch)
        to_input = Product(weight_ih[two:].T, None, batch)
        gates_to_input = Product(torch.cat([weight_ih[:two], torch.zeros_like(weight_ih[two:])]).T.to(narrow), None, batch)

        d_weights, d_bias = weight_hh.new_zeros(3 * hidden, hidden + width), weight_hh.new_zeros(3 * hidden)
        d_input_weight, d_input_bias = weight_hh.new_zeros(hidden, width), weight_hh.new_zeros(hidden)
        d_x = torch.empty_like(by_time)
        span = max(1, min(steps, SPAN_ROWS // max(1, batch)))
        d_sums = entering.new_empty(span, batch, 3 * hidden)  # gradients of what reset, update and the candidate's recurrent half are made from
        d_candidates = by_time.new_empty(span, batch, hidden)
        scratch = by_time.new_empty(batch, 3 * hidden) if narrow != full else None
        d_state = gradients[0]
        for end in range(steps, 0, -span):
            start = max(0, end - span)
            for t in reversed(range(start, end)):
                reset, update, recurrent_half, candidate = kept[4 * t : 4 * t + 4]
                d_candidate = d_candidates[t - start]
                d_sum = d_sums[t - start] if scratch is None else scratch
                d_reset, d_update, d_recurrent = d_sum[:, :hidden], d_sum[:, hidden:two], d_sum[:, two:]
                torch.sub(entering[t, :, :hidden], candidate, out=d_update)
                _sigmoid_backward(d_update.mul_(d_state), update, grad_input=d_update)
                passed = d_state * update
                torch.sub(d_state, passed, out=d_candidate)
                _tanh_backward(d_candidate, candidate, grad_input=d_candidate)
                reset = reset.to(full)
                torch.mul(d_candidate, reset, out=d_recurrent)
                torch.mul(d_candidate, recurrent_half.to(full), out=d_reset)
                d_reset.addcmul_(d_reset, reset, value=-1)
                if scratch is not None:
                    d_sums[t - start] = scratch
                if t > 0:
                    d_state = to_state.combined(d_sums[t - start], "add", passed)
            rows = (end - start) * batch
            flat, flat_candidates = d_sums.view(-1, 3 * hidden)[:rows], d_candidates.view(-1, hidden)[:rows]
            d_weights += product_over_rows(flat, entering[start:end].view(rows, -1))
            d_input_weight += product_over_rows(flat_candidates, by_time[start:end].view(rows, -1))
            d_bias += flat.sum(0, dtype=full)
            d_input_bias += flat_candidates.sum(0)
            d_x[start:end] = to_input.combined(flat_candidates, "add", gates_to_input(flat).to(full)).view(-1, batch, width)
        d_weight_ih = torch.cat([d_weights[:two, hidden:], d_input_weight])
        return d_x.transpose(0, 1), d_weight_ih, d_weights[:, :hidden].contiguous(), torch.cat([d_bias[:two], d_input_bias]), d_bias, None


def _products_in(weight: Tensor) -> torch.dtype | None:
    """Type of the recurrent products with such a weight; None where the stock operator has to compute them."""
    if not torch.is_autocast_enabled("cpu"):
        return weight.dtype
    return torch.bfloat16 if torch.get_autocast_dtype("cpu") == torch.bfloat16 else None


def applies_to(weight: Tensor) -> bool:
    """Whether `last_state` is worth its while with this recurrent weight: training on a CPU, neither traced nor compiled."""
    watched = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return torch.is_grad_enabled() and weight.device.type == "cpu" and _products_in(weight) is not None and not watched


def last_state(x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """Last hidden state (B, H) of a GRU over x (B, T, I), from a zero state, of the weights' type.

    Args:
        x: input sequence, float of any type.
        weight_ih, weight_hh, bias_ih, bias_hh: (3H, I), (3H, H), (3H,), (3H,), gates in the order reset, update, candidate, as
            `torch.nn.GRU` keeps them.
    """
    narrow = _products_in(weight_hh) or weight_hh.dtype
    with torch.autocast("cpu", enabled=False):
        return _LastState.apply(x, weight_ih, weight_hh, bias_ih, bias_hh, narrow)
