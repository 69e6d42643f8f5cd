"""Spyx (JAX)."""

import os
from types import SimpleNamespace


class JaxCase:
    bwd_includes_fwd = True  # value_and_grad re-runs the forward pass: subtracted, as upstream does

    def __init__(self, fwd, grad, args, rate):
        self._f, self._g, self._a, self.rate = fwd, grad, args, rate

    def fwd(self):
        return self._f(*self._a).block_until_ready()

    def bwd(self, _):
        import jax
        jax.block_until_ready(self._g(*self._a))


def cases():
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    from flax import nnx
    import spyx.axn
    import spyx.nn as snn

    def case(loss, args, wrt, rate_fn):
        f, g = jax.jit(loss), jax.jit(jax.grad(loss, argnums=wrt))
        return JaxCase(f, g, args, round(float(jax.jit(rate_fn)(*args)), 5))

    def linear(T, B, n):
        m = snn.Sequential(nnx.Linear(n, n, use_bias=False, rngs=nnx.Rngs(0)),
                           snn.LIF((n,), activation=spyx.axn.arctan(), rngs=nnx.Rngs(0)))
        gd, st = nnx.split(m)
        x = jax.random.normal(jax.random.key(0), (T, B, n))

        def out(st, x):
            return snn.run(nnx.merge(gd, st), x)[0]
        return case(lambda s, x: out(s, x).sum(), (st, x), 0, lambda s, x: out(s, x).mean())

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
        return case(lambda s, x: out(s, x).sum(), (st, x), (0, 1), lambda s, x: out(s, x).mean())

    def lif(T, n):
        m = snn.LIF((n,), beta=0.5, activation=spyx.axn.arctan(), rngs=nnx.Rngs(0))
        gd, st = nnx.split(m)
        x = jax.random.normal(jax.random.key(0), (T, 1, n)) + 1.0

        # gradient to the input, spikes materialised like everyone else's
        def run(x):
            return snn.run(nnx.merge(gd, st), x)[0]
        f = jax.jit(run)
        g = jax.jit(lambda x: jax.vjp(run, x)[1](jnp.ones((T, 1, n)))[0])
        return JaxCase(f, g, (x,), round(float(run(x).mean()), 5))

    return SimpleNamespace(linear=linear, conv=conv, lif=lif)
