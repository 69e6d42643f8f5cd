"""One training step of a spiking network by a Python framework, timed; prints a JSON line as `training` does.

    python step.py spikingjelly|braincog vgg_snn|sew_resnet19 [--threads 2] [--runs 5] [--channels-last] [--compile]

The step: forward, cross entropy of the mean over time steps, backward, AdamW (fused).
"""

import argparse
import ctypes
import gc
import json
import statistics
import time
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
BATCH = 16


def spikingjelly_network(name):
    """The networks of `tks-models` built from SpikingJelly's layers and neurons, layer by layer."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    def lif():
        return neuron.LIFNode(tau=2.0, v_threshold=0.5, detach_reset=True, surrogate_function=surrogate.ATan())

    def unit(cin, cout, kernel=3, stride=1):
        return nn.Sequential(
            layer.Conv2d(cin, cout, kernel, stride=stride, padding=kernel // 2, bias=False),
            layer.BatchNorm2d(cout), lif())

    class Block(nn.Module):
        def __init__(self, cin, cout, stride):
            super().__init__()
            self.body = nn.Sequential(unit(cin, cout, 3, stride), unit(cout, cout))
            self.down = unit(cin, cout, 1, stride) if stride > 1 or cin != cout else nn.Identity()

        def forward(self, x):
            return self.body(x) + self.down(x)

    if name == "vgg_snn":
        layers, cin = [], 2
        for width in (64, 128, "P", 256, 256, "P", 512, 512, "P", 512, 512, "P"):
            layers.append(layer.AvgPool2d(2) if width == "P" else unit(cin, width))
            cin = cin if width == "P" else width
        net = nn.Sequential(*layers, layer.Flatten(), layer.Linear(512 * 9, 10))
    else:
        blocks, cin = [unit(3, 64)], 64
        for width, count, stride in ((128, 3, 1), (256, 3, 2), (512, 2, 2)):
            for i in range(count):
                blocks.append(Block(cin, width, stride if i == 0 else 1))
                cin = width
        net = nn.Sequential(*blocks, layer.AdaptiveAvgPool2d(1), layer.Flatten(), layer.Linear(512, 256), lif(),
                            layer.Linear(256, 10))
    functional.set_step_mode(net, "m")
    steps = 10 if name == "vgg_snn" else 4

    def forward(x):
        functional.reset_net(net)
        sequence = x if name == "vgg_snn" else x.unsqueeze(0).repeat(steps, 1, 1, 1, 1)
        return net(sequence).mean(0)

    # Its layers take [T, B, ...]: frames are given this layout outside the timed region.
    return net, forward, lambda x: x.transpose(0, 1).contiguous() if name == "vgg_snn" else x


def braincog_network(name):
    import importlib

    from braincog.base.node.node import LIFNode
    from braincog.base.strategy.surrogate import QGateGrad
    common = dict(num_classes=10, node_type=LIFNode, threshold=0.5, tau=2.0, act_fun=QGateGrad,
                  layer_by_layer=True, encode_type="direct")
    if name == "vgg_snn":
        module = importlib.import_module("braincog.model_zoo.vgg_snn")
        net = module.VGG_SNN(step=10, dataset="dvsc10", **common)
    else:
        module = importlib.import_module("braincog.model_zoo.sew_resnet")
        net = module.sew_resnet19(step=4, dataset="cifar10", cnf="ADD", **common)
    return net, net, lambda x: x


def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(key)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("framework", choices=["spikingjelly", "braincog"])
    parser.add_argument("network", choices=["vgg_snn", "sew_resnet19"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--channels-last", action="store_true", help="weights and images with their channels last")
    parser.add_argument("--compile", action="store_true", help="torch.compile the network")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    build = spikingjelly_network if options.framework == "spikingjelly" else braincog_network
    net, forward, lay_out = build(options.network)
    net.train()
    batch = options.batch
    if options.network == "vgg_snn":
        images = (torch.rand(batch, 10, 2, 48, 48) > 0.9).float()
    else:
        images = torch.rand(batch, 3, 32, 32)
    images = lay_out(images)
    if options.channels_last:
        net.to(memory_format=torch.channels_last)
        images = images.movedim(-3, -1).contiguous().movedim(-1, -3)
    if options.compile:
        forward = torch.compile(forward, dynamic=False)
    labels = torch.arange(batch) % 10
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], 1e-4, weight_decay=0.01, fused=True)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # free memory left from building the network does not belong to the step
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    base, times = memory("VmRSS"), []
    # Compiled code is recompiled when gradients are computed for the first time.
    warmup = 3 if options.compile else 1
    for run in range(options.runs + warmup):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)
        if run >= warmup:
            times.append(1e3 * (time.perf_counter() - began))
    step = statistics.median(times)
    print(json.dumps({
        "framework": options.framework, "network": options.network, "threads": options.threads, "step_ms": step,
        "images_per_second": 1e3 * batch / step, "peak_mib": memory("VmHWM"), "added_mib": memory("VmHWM") - base,
    }))


main()
