"""Rockpool."""

from .case import torch_cases


def cases():
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch

    def lin(T, B, n):
        m = Sequential(LinearTorch(shape=(n, n)), LIFTorch(n))
        return (lambda x: m(x)[0]), m.parameters().astorch() if hasattr(m.parameters(), "astorch") else []

    def lif(T, n):
        # LIFTorch allocates an n x n matrix even with has_rec=False (4 TiB at n = 2^20), so the
        # same number of neuron updates is laid out as 1024 neurons x (n / 1024) samples.
        m = LIFTorch(1024, tau_mem=2e-3, tau_syn=2e-3)
        return (lambda x: m(x.reshape(T, n // 1024, 1024).transpose(0, 1))[0]), []

    ns = torch_cases(lin, None, lif, layout="BTN")
    return ns
