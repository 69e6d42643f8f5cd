"""Reference implementations: they show what is attainable and are not peers."""

import ctypes
import os
import subprocess

from .case import torch_cases


def _atan_fn():
    import math
    import torch

    class ATan(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u >= 0).to(u)

        @staticmethod
        def backward(ctx, g):
            (u,) = ctx.saved_tensors
            return g / (1 + (math.pi * u).square())

    return ATan.apply


def _ref_builders(lif_seq):
    import torch
    from torch import nn

    def lin(T, B, n):
        fc = nn.Linear(n, n)
        return (lambda x: lif_seq(fc(x), 5.0)), fc.parameters()

    def conv(T, B, cin, cout, hw):
        m = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout))
        return (lambda x: lif_seq(m(x.flatten(0, 1)).unflatten(0, (T, B)), 2.0)), m.parameters()

    def lif(T, n):
        return (lambda x: lif_seq(x, 2.0)), []

    return torch_cases(lin, conv, lif)


def eager():
    """A plain per-step autograd loop, as in a first port of the equations."""
    import torch
    spike = _atan_fn()

    def lif_seq(x, tau):
        v, out = torch.zeros_like(x[0]), []
        for xt in x:
            h = v + (xt - v) / tau
            s = spike(h - 1.0)
            v = h * (1 - s)
            out.append(s)
        return torch.stack(out)

    return _ref_builders(lif_seq)


def compiled():
    """The same loop under torch.compile (inductor C++), only sensible for small T."""
    import torch
    spike = _atan_fn()

    @torch.compile(dynamic=False)
    def lif_seq(x, tau):
        v, out = torch.zeros_like(x[0]), []
        for xt in x.unbind(0):
            h = v + (xt - v) / tau
            s = spike(h - 1.0)
            v = h * (1 - s)
            out.append(s)
        return torch.stack(out)

    ns = _ref_builders(lif_seq)
    ns.linear = None  # 500 unrolled steps take minutes to compile
    return ns


def _build_c():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    build = os.path.join(here, "build")
    os.makedirs(build, exist_ok=True)
    so = os.path.join(build, "liblif.so")
    src = os.path.join(here, "lif.c")
    if not os.path.exists(so) or os.path.getmtime(so) < os.path.getmtime(src):
        subprocess.run(["cc", "-O3", "-march=native", "-fopenmp", "-ffast-math", "-shared", "-fPIC",
                        "-o", f"{so}.{os.getpid()}", src], check=True)
        os.replace(f"{so}.{os.getpid()}", so)
    return ctypes.CDLL(so)


def c_fused():
    """One fused pass over memory in C (lif.c) behind an autograd.Function: the floor."""
    import torch
    lib = _build_c()
    fl, lg, vp = ctypes.c_float, ctypes.c_long, ctypes.c_void_p
    lib.lif_fwd.argtypes = [vp, vp, vp, lg, lg, fl, fl]
    lib.lif_bwd.argtypes = [vp, vp, vp, lg, lg, fl, fl, fl]

    class LIF(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, tau):
            x = x.contiguous()
            T, N = x.shape[0], x[0].numel()
            s, h = torch.empty_like(x), torch.empty_like(x)
            lib.lif_fwd(x.data_ptr(), s.data_ptr(), h.data_ptr(), T, N, tau, 1.0)
            ctx.save_for_backward(h)
            ctx.tau = tau
            return s

        @staticmethod
        def backward(ctx, gs):
            (h,) = ctx.saved_tensors
            gs = gs.contiguous()
            gx = torch.empty_like(h)
            lib.lif_bwd(gs.data_ptr(), h.data_ptr(), gx.data_ptr(), h.shape[0], h[0].numel(), ctx.tau, 1.0, 2.0)
            return gx, None

    return _ref_builders(lambda x, tau: LIF.apply(x, tau))
