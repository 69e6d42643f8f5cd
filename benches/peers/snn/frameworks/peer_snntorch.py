"""snnTorch."""

from .case import torch_cases


def cases():
    import torch
    from torch import nn
    import snntorch as snn
    from snntorch import surrogate

    def stepper(pre, beta, **kw):
        node = snn.Leaky(beta=beta, **kw)

        def call(x):
            mem, out = node.init_leaky(), []
            for xt in x:
                s, mem = node(pre(xt), mem)
                out.append(s)
            return torch.stack(out)
        return call

    def lin(T, B, n):
        fc = nn.Linear(n, n)
        return stepper(fc, 0.95), fc.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout))
        return stepper(m, 0.5, reset_mechanism="zero", spike_grad=surrogate.atan(2.0)), m.parameters()

    def lif(T, n):
        return stepper(lambda x: x, 0.5, reset_mechanism="zero", spike_grad=surrogate.atan(2.0)), []

    return torch_cases(lin, conv, lif)
