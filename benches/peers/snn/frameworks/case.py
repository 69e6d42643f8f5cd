"""What the adapters have in common: a case is something with fwd() -> out and bwd(out).

An adapter module has `cases()`, which returns three factories (None where the framework cannot express it):

    linear(T, B, n)             Linear(n, n) + LIF, gradients to the weights
    conv(T, B, cin, cout, hw)   conv3x3 + batch norm + LIF, a training step with gradients to weights and input
    lif(T, n)                   the neuron alone, gradient to the input

`linear` follows open-neuromorphic/snn-library-benchmarks (docker/run_benchmark.py) in its neuron parameters; `conv`
and `lif` use tau = 2, hard reset and atan with alpha = 2 where the framework lets us.
"""

from types import SimpleNamespace


class TorchCase:
    """module + static input; `call` returns the spike tensor."""

    def __init__(self, params, x, call):
        self.params, self.x, self.call, self.rate = list(params), x, call, None

    def fwd(self):
        import torch
        for p in self.params:
            p.grad = None
        self.x.grad = None
        out = self.call(self.x)
        if self.rate is None:
            with torch.no_grad():
                self.rate = round(float(out.float().mean()), 5)
        return out

    def bwd(self, out):
        out.sum().backward()


def torch_cases(build_linear=None, build_conv=None, build_lif=None, layout="TBN"):
    """layout is the order the framework wants: TBN, BTN (sinabs, rockpool) or BNT (lava)."""
    import torch

    def data(*shape):  # shape given as T, B, rest...
        torch.manual_seed(0)
        x = torch.randn(*shape)
        if layout == "BTN":
            x = x.transpose(0, 1).contiguous()
        elif layout == "BNT":
            x = x.movedim(0, -1).contiguous()
        return x

    def linear(T, B, n):
        call, params = build_linear(T, B, n)
        return TorchCase(params, data(T, B, n), call)

    def conv(T, B, cin, cout, hw):
        call, params = build_conv(T, B, cin, cout, hw)
        x = (data(T, B, cin, hw, hw) > 1.0).float().requires_grad_(True)  # ~16 % spikes in
        return TorchCase(params, x, call)

    def lif(T, n):
        call, params = build_lif(T, n)
        x = (data(T, 1, n) + 1.0).contiguous().requires_grad_(True)
        return TorchCase(params, x, call)

    return SimpleNamespace(linear=linear if build_linear else None, conv=conv if build_conv else None,
              lif=lif if build_lif else None)
