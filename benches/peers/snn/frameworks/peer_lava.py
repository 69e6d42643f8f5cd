"""lava-dl (SLAYER)."""

from .case import torch_cases


def cases():
    import lava.lib.dl.slayer as slayer
    par = {"threshold": 0.1, "current_decay": 1, "voltage_decay": 0.1, "requires_grad": True}
    par2 = {"threshold": 1.0, "current_decay": 1, "voltage_decay": 0.5, "requires_grad": True}

    def lin(T, B, n):
        m = slayer.block.cuba.Dense(par, n, n, pre_hook_fx=None)
        return m, m.parameters()

    def conv(T, B, cin, cout, hw):
        p = dict(par2, norm=slayer.neuron.norm.MeanOnlyBatchNorm)
        m = slayer.block.cuba.Conv(p, cin, cout, 3, padding=1, weight_scale=4, pre_hook_fx=None)
        return m, m.parameters()

    def lif(T, n):
        m = slayer.neuron.cuba.Neuron(**par2)
        return m, m.parameters()

    return torch_cases(lin, conv, lif, layout="BNT")
