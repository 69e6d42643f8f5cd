"""Spyx (JAX)."""

import os
from types import SimpleNamespace


class JaxCase:
    # The gradient call repeats the forward pass, in one program for both, which is fastest with XLA. The
    # forward time is subtracted.
    bwd_includes_fwd = True

    def __init__(self, fwd, grad, args, rate):
        self._f, self._g, self._a, self.rate, self._grad = fwd, grad, args, rate, None

    def fwd(self):
        return self._f(*self._a).block_until_ready()

    def make_gradient(self, out):
        import jax
        if self._grad is None:
            self._grad = jax.random.normal(jax.random.key(1), out.shape, out.dtype).block_until_ready()

    def bwd(self, _):
        import jax
        jax.block_until_ready(self._g(self._grad, *self._a))


def cases():
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    from flax import nnx
    import spyx.axn
    import spyx.nn as snn

    def case(out, args, wrt):
        """`out` returns the spikes; gradients are with respect to `wrt`, and the spikes are materialised as in all others."""
        def both(grad, *args):
            chosen = [args[i] for i in wrt]

            def of(*chosen):
                given = list(args)
                for i, value in zip(wrt, chosen):
                    given[i] = value
                return out(*given)
            spikes, pull = jax.vjp(of, *chosen)
            return spikes, pull(grad)
        return JaxCase(jax.jit(out), jax.jit(both), args, round(float(jax.jit(out)(*args).mean()), 5))

    def linear(T, B, n):
        m = snn.Sequential(nnx.Linear(n, n, use_bias=False, rngs=nnx.Rngs(0)),
                           snn.LIF((n,), activation=spyx.axn.arctan(), rngs=nnx.Rngs(0)))
        gd, st = nnx.split(m)
        x = jax.random.normal(jax.random.key(0), (T, B, n))

        def out(st, x):
            return snn.run(nnx.merge(gd, st), x)[0]
        return case(out, (st, x), (0,))

    def conv(T, B, cin, cout, hw):
        c = nnx.Conv(cin, cout, (3, 3), padding=1, use_bias=False, rngs=nnx.Rngs(0))
        bn = nnx.BatchNorm(cout, rngs=nnx.Rngs(0))
        lif = snn.LIF((hw, hw, cout), beta=0.5, activation=spyx.axn.arctan(), rngs=nnx.Rngs(0))
        gd, st = nnx.split((c, bn, lif))
        x = (jax.random.normal(jax.random.key(0), (T, B, hw, hw, cin)) > 1).astype(jnp.float32)

        def out(st, x):
            c, bn, lif = nnx.merge(gd, st)
            y = bn(c(x.reshape(T * B, hw, hw, cin))).reshape(T, B, hw, hw, cout)
            return snn.run(lif, y)[0]
        return case(out, (st, x), (0, 1))

    def lif(T, n):
        m = snn.LIF((n,), beta=0.5, activation=spyx.axn.arctan(), rngs=nnx.Rngs(0))
        gd, st = nnx.split(m)
        x = jax.random.normal(jax.random.key(0), (T, 1, n)) + 1.0

        def run(x):
            return snn.run(nnx.merge(gd, st), x)[0]
        return case(run, (x,), (0,))

    return SimpleNamespace(linear=linear, conv=conv, lif=lif)
