"""Shared code of the adapters. A case is an object with fwd() -> out, make_gradient(out) and bwd(out).

`make_gradient` is not timed; `bwd` starts from a dense random gradient in the layout of the output, as received by a
layer within a network. (The gradient of a sum is a single repeated number, for which a framework may have short cuts.)

An adapter module has `cases()`, which returns three factories (None if the framework cannot express it):

    linear(T, B, n)             Linear(n, n) + LIF, gradients with respect to the weights
    conv(T, B, cin, cout, hw)   conv3x3 + batch norm + LIF, a training step with gradients with respect to weights and input
    lif(T, n)                   only the neuron, gradient with respect to the input

`linear` follows open-neuromorphic/snn-library-benchmarks (docker/run_benchmark.py) in its neuron parameters; `conv`
and `lif` use tau = 2, hard reset and atan with alpha = 2 if the framework allows it.
"""

from types import SimpleNamespace


# Set by run_one.py; the same for all cases of a process.
OPTIONS = SimpleNamespace(layout="nchw", compile=False)


class TorchCase:
    """module + static input; `call` returns the spike tensor."""

    def __init__(self, params, x, call):
        if OPTIONS.compile:
            import torch
            call = torch.compile(call, dynamic=False)
        self.params, self.x, self.call, self.rate, self.grad = list(params), x, call, None, None

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

    def make_gradient(self, out):
        import torch
        if self.grad is None:
            torch.manual_seed(1)
            self.grad = torch.randn_like(out)

    def bwd(self, out):
        out.backward(self.grad)


def torch_cases(build_linear=None, build_conv=None, build_lif=None, layout="TBN"):
    """layout is the order that the framework requires: TBN, BTN (sinabs, rockpool) or BNT (lava)."""
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
        params = list(params)
        x = (data(T, B, cin, hw, hw) > 1.0).float()  # ~16 % spikes in
        if OPTIONS.layout == "nhwc":
            if layout == "BNT":
                raise ValueError("channels-last needs the channels beside height and width")
            x = x.movedim(2, -1).contiguous().movedim(-1, 2)
            for p in params:
                if p.dim() == 4:
                    p.data = p.data.contiguous(memory_format=torch.channels_last)
        return TorchCase(params, x.requires_grad_(True), call)

    def lif(T, n):
        call, params = build_lif(T, n)
        x = (data(T, 1, n) + 1.0).contiguous().requires_grad_(True)
        return TorchCase(params, x, call)

    return SimpleNamespace(linear=linear if build_linear else None, conv=conv if build_conv else None,
              lif=lif if build_lif else None)
