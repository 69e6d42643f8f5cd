"""Norse."""

from .case import torch_cases


def cases():
    from torch import nn
    from norse.torch import Lift, SequentialState
    from norse.torch.module.lif import LIF

    def lin(T, B, n):
        m = SequentialState(nn.Linear(n, n), LIF())
        return (lambda x: m(x)[0]), m.parameters()

    def conv(T, B, cin, cout, hw):
        m = SequentialState(Lift(nn.Conv2d(cin, cout, 3, padding=1, bias=False)),
                            Lift(nn.BatchNorm2d(cout)), LIF())
        return (lambda x: m(x)[0]), m.parameters()

    def lif(T, n):
        m = LIF()
        return (lambda x: m(x * 10.0)[0]), []  # default norse dt/tau need a larger current to fire

    return torch_cases(lin, conv, lif)
