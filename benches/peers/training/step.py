"""One training step of a spiking network by a Python framework, timed; prints a JSON line as `training` does.

    python step.py spikingjelly|braincog vgg_snn|sew_resnet19 [--threads 2] [--runs 5]

The step: forward, cross entropy of the mean over time steps, backward, AdamW (fused).
"""

import argparse
import json
import statistics
import time
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
BATCH = 16


def spikingjelly_network(name):
    """The networks of `tks-models`, of SpikingJelly's layers and neurons, layer by layer."""
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
        sequence = x.transpose(0, 1) if name == "vgg_snn" else x.unsqueeze(0).repeat(steps, 1, 1, 1, 1)
        return net(sequence).mean(0)

    return net, forward


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
    return net, net


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
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    build = spikingjelly_network if options.framework == "spikingjelly" else braincog_network
    net, forward = build(options.network)
    net.train()
    if options.network == "vgg_snn":
        images = (torch.rand(BATCH, 10, 2, 48, 48) > 0.9).float()
    else:
        images = torch.rand(BATCH, 3, 32, 32)
    labels = torch.arange(BATCH) % 10
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], 1e-4, weight_decay=0.01, fused=True)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    base, times = memory("VmRSS"), []
    for run in range(options.runs + 1):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)
        if run:
            times.append(1e3 * (time.perf_counter() - began))
    step = statistics.median(times)
    print(json.dumps({
        "framework": options.framework, "network": options.network, "threads": options.threads, "step_ms": step,
        "images_per_second": 1e3 * BATCH / step, "peak_mib": memory("VmHWM"), "added_mib": memory("VmHWM") - base,
    }))


main()
