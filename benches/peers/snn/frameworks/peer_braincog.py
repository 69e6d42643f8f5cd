"""BrainCog."""

from .case import torch_cases


def cases():
    import warnings
    warnings.filterwarnings("ignore")
    from torch import nn
    from braincog.base.node.node import LIFNode
    from braincog.base.strategy.surrogate import AtanGrad

    # BrainCog's rearrange supports 2-d and 4-d inputs: '(t b) c' and '(t b) c w h'.
    def lin(T, B, n):
        fc = nn.Linear(n, n)
        node = LIFNode(threshold=1.0, tau=5.0, act_fun=AtanGrad, step=T, layer_by_layer=True)

        def call(x):
            node.n_reset()
            return node(fc(x.flatten(0, 1))).unflatten(0, (T, B))
        return call, fc.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout))
        node = LIFNode(threshold=1.0, tau=2.0, act_fun=AtanGrad, step=T, layer_by_layer=True)

        def call(x):
            node.n_reset()
            return node(m(x.flatten(0, 1))).unflatten(0, (T, B))
        return call, m.parameters()

    def lif(T, n):
        node = LIFNode(threshold=1.0, tau=2.0, act_fun=AtanGrad, step=T, layer_by_layer=True)

        def call(x):
            node.n_reset()
            return node(x.flatten(0, 1)).unflatten(0, (T, 1))
        return call, []

    return torch_cases(lin, conv, lif)
