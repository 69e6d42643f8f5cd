"""SpikingJelly, multi-step and single-step."""

from .case import torch_cases


def multi_step():
    from torch import nn
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def lin(T, B, n):
        m = nn.Sequential(layer.Linear(n, n),
                          neuron.LIFNode(tau=5.0, surrogate_function=surrogate.ATan(), step_mode="m"))

        def call(x):
            functional.reset_net(m)
            return m(x)
        return call, m.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(layer.Conv2d(cin, cout, 3, padding=1, bias=False), layer.BatchNorm2d(cout),
                          neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()))
        functional.set_step_mode(m, "m")

        def call(x):
            functional.reset_net(m)
            return m(x)
        return call, m.parameters()

    def lif(T, n):
        m = neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), step_mode="m")

        def call(x):
            functional.reset_net(m)
            return m(x)
        return call, []

    return torch_cases(lin, conv, lif)


def single_step():
    """SpikingJelly, single-step mode in a Python loop over time."""
    import torch
    from torch import nn
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def loop(m):
        def call(x):
            functional.reset_net(m)
            return torch.stack([m(xt) for xt in x])
        return call

    def lin(T, B, n):
        m = nn.Sequential(layer.Linear(n, n), neuron.LIFNode(tau=5.0, surrogate_function=surrogate.ATan()))
        return loop(m), m.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(layer.Conv2d(cin, cout, 3, padding=1, bias=False), layer.BatchNorm2d(cout),
                          neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()))
        return loop(m), m.parameters()

    def lif(T, n):
        m = neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan())
        return loop(m), []

    return torch_cases(lin, conv, lif)
