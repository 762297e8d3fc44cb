"""Recurrent layers written out, and a way to see the noise that a layer draws."""

import torch
from torch import Tensor, nn


def written_out(layer: nn.RNNBase, x: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the states and the last hidden states of `layer` with `weights`, of time-first `x`."""
    last = []
    for level in range(layer.num_layers):
        outputs = []
        for suffix in ["", "_reverse"][: 1 + layer.bidirectional]:
            names = {
                name.removesuffix(f"_l{level}{suffix}"): weight
                for name, weight in weights.items()
                if name.endswith(f"_l{level}{suffix}")
            }
            steps = x.flip(0) if suffix else x
            states = _one_direction(layer, steps, names)
            last.append(states[-1])
            outputs.append(states.flip(0) if suffix else states)
        x = torch.cat(outputs, dim=-1)
    return x, torch.stack(last)


def _one_direction(layer: nn.RNNBase, x: Tensor, w: dict[str, Tensor]) -> Tensor:
    hidden = x.new_zeros(x.shape[1], layer.proj_size or layer.hidden_size)
    cell = x.new_zeros(x.shape[1], layer.hidden_size)
    states = []
    for step in x:
        into = step @ w["weight_ih"].T + w["bias_ih"]
        on = hidden @ w["weight_hh"].T + w["bias_hh"]
        if layer.mode == "LSTM":
            i, f, g, o = (into + on).chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            if layer.proj_size:
                hidden = hidden @ w["weight_hr"].T
        elif layer.mode == "GRU":
            (r, z, n), (hr, hz, hn) = into.chunk(3, dim=1), on.chunk(3, dim=1)
            z = (z + hz).sigmoid()
            hidden = (1 - z) * (n + (r + hr).sigmoid() * hn).tanh() + z * hidden
        else:
            hidden = (into + on).tanh()
        states.append(hidden)
    return torch.stack(states)


def noises_of(layer: nn.Module) -> list[Tensor]:
    """Return a list in which all the noise is noted that `layer` draws from now on."""
    draw, noises = layer.noise, []

    def noted(x: Tensor) -> Tensor:
        noises.append(draw(x))
        return noises[-1]

    layer.noise = noted
    return noises
