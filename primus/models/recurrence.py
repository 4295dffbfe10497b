"""The last state of a GRU, computed with fewer passes over memory than the stock operator needs.

Same equations and parameters as `torch.nn.GRU` (one layer, one direction, zero initial state). What it saves: the input product is one matrix
product for all steps, gates are added inside the recurrent products, all arithmetic on gates happens in place in buffers laid out by time, the
first step has no recurrent product (its state is zero), and each weight's gradient is one product over all steps. Outputs and gradients agree
with the stock operator to float32 rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class _LastState(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
        batch, steps, _ = x.shape
        hidden = weight_hh.shape[1]
        two = 2 * hidden
        by_time = x.transpose(0, 1).reshape(steps * batch, -1)  # (T B, I)
        # Pre-activations of reset and update gate share one buffer; the candidate needs its recurrent part apart (it is gated by reset).
        gates = torch.addmm(bias_ih[:two] + bias_hh[:two], by_time, weight_ih[:two].T).view(steps, batch, two)
        candidate = torch.addmm(bias_ih[two:], by_time, weight_ih[two:].T).view(steps, batch, hidden)
        recurrent = x.new_empty(steps, batch, hidden)
        states = x.new_empty(steps + 1, batch, hidden)
        states[0].zero_()
        into_gates, into_candidate = weight_hh[:two].T, weight_hh[two:].T
        for t in range(steps):
            if t == 0:
                recurrent[0].copy_(bias_hh[two:].expand(batch, hidden))
            else:
                gates[t].addmm_(states[t], into_gates)
                torch.addmm(bias_hh[two:], states[t], into_candidate, out=recurrent[t])
            gates[t].sigmoid_()
            reset, update = gates[t][:, :hidden], gates[t][:, hidden:]
            candidate[t].addcmul_(reset, recurrent[t]).tanh_()
            torch.lerp(candidate[t], states[t], update, out=states[t + 1])
        context.save_for_backward(by_time, weight_ih, weight_hh, gates, candidate, recurrent, states)
        return states[steps].clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        by_time, weight_ih, weight_hh, gates, candidate, recurrent, states = context.saved_tensors
        steps, batch, hidden = candidate.shape
        two = 2 * hidden
        d_gates, d_candidate, d_recurrent = torch.empty_like(gates), torch.empty_like(candidate), torch.empty_like(candidate)
        d_state = gradients[0].clone()
        for t in reversed(range(steps)):
            reset, update = gates[t][:, :hidden], gates[t][:, hidden:]
            d_reset, d_update = d_gates[t][:, :hidden], d_gates[t][:, hidden:]
            torch.sub(states[t], candidate[t], out=d_recurrent[t])
            torch.mul(d_recurrent[t], d_state, out=d_update)
            torch.addcmul(d_state, d_state, update, value=-1, out=d_candidate[t])
            _tanh_backward(d_candidate[t], candidate[t], grad_input=d_candidate[t])
            torch.mul(d_candidate[t], recurrent[t], out=d_reset)
            _sigmoid_backward(d_gates[t], gates[t], grad_input=d_gates[t])
            torch.mul(d_candidate[t], reset, out=d_recurrent[t])
            if t > 0:
                d_state.mul_(update).addmm_(d_gates[t], weight_hh[:two]).addmm_(d_recurrent[t], weight_hh[two:])
        flat_gates, flat_candidate = d_gates.view(-1, two), d_candidate.view(-1, hidden)
        flat_recurrent, flat_states = d_recurrent.view(-1, hidden), states[:steps].view(-1, hidden)
        d_weight_hh, d_weight_ih = torch.empty_like(weight_hh), torch.empty_like(weight_ih)
        torch.mm(flat_gates.T, flat_states, out=d_weight_hh[:two])
        torch.mm(flat_recurrent.T, flat_states, out=d_weight_hh[two:])
        torch.mm(flat_gates.T, by_time, out=d_weight_ih[:two])
        torch.mm(flat_candidate.T, by_time, out=d_weight_ih[two:])
        d_x = torch.mm(flat_gates, weight_ih[:two]).addmm_(flat_candidate, weight_ih[two:])
        gate_bias = flat_gates.sum(0)
        d_bias_ih, d_bias_hh = torch.cat([gate_bias, flat_candidate.sum(0)]), torch.cat([gate_bias, flat_recurrent.sum(0)])
        return d_x.view(steps, batch, -1).transpose(0, 1), d_weight_ih, d_weight_hh, d_bias_ih, d_bias_hh


def applies_to(x: Tensor) -> bool:
    """Whether `last_state` is worth its while for this input: training in float32 on a CPU, not traced, compiled or autocast."""
    watched = torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return torch.is_grad_enabled() and x.device.type == "cpu" and x.dtype == torch.float32 and not watched


def last_state(x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """Last hidden state (B, H) of a GRU over x (B, T, I), from a zero state.

    Args:
        x: input sequence.
        weight_ih, weight_hh, bias_ih, bias_hh: (3H, I), (3H, H), (3H,), (3H,), gates in the order reset, update, candidate, as
            `torch.nn.GRU` keeps them.
    """
    return _LastState.apply(x, weight_ih, weight_hh, bias_ih, bias_hh)
