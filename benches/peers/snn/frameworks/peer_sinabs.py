"""Sinabs."""

from .case import torch_cases


def cases():
    import torch
    from torch import nn
    import sinabs as sb
    from sinabs.layers import LIF, LIFSqueeze

    def lin(T, B, n):
        m = nn.Sequential(nn.Linear(n, n), LIF(tau_mem=torch.tensor(10.0)))

        def call(x):
            sb.reset_states(m)
            return m(x)
        return call, m.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout),
                          LIFSqueeze(tau_mem=torch.tensor(2.0), batch_size=B))

        def call(x):
            sb.reset_states(m)
            return m(x.flatten(0, 1)).unflatten(0, (B, T))
        return call, m.parameters()

    def lif(T, n):
        m = LIF(tau_mem=torch.tensor(2.0))

        def call(x):
            m.reset_states()  # sinabs.reset_states() only walks children
            return m(x)
        return call, []

    return torch_cases(lin, conv, lif, layout="BTN")
