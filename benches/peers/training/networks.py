"""Writes the results of SpikingJelly and BrainCog for the networks that they share with `tks-models`.

    python networks.py ../../../crates/models/tests/peers/networks.json
    python networks.py ../../../crates/models/tests/peers/networks.json spikformer ms_resnet18

The second line computes only the named networks and leaves the others in the file unchanged. Weights and input follow
formulas, so that the file holds only results: names and shapes of the parameters, logits, loss (cross entropy of the mean
over time steps), gradient norms and firing rates of a training step.
"""

import functools
import json
import math
import sys
import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore")
STEPS, BATCH, CLASSES = 2, 2, 10


def fnv1a32(name):
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def fill(net, norm_weight):
    """Fills parameters of two or more dimensions, and biases, by name; keeps batch norm's weights unless a value is given."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.dim() == 1 and name.endswith(".weight") and norm_weight is not None:
                p.fill_(norm_weight)
                continue
            if p.dim() >= 2:
                scale = math.sqrt(6 / (p.numel() // p.shape[0]))
            elif name.endswith(".bias"):
                scale = 0.05
            else:
                continue
            i = torch.arange(p.numel(), dtype=torch.float64)
            values = torch.sin(i * 0.7390851332151607 + (fnv1a32(name) % 1000) * 0.01) * scale
            p.copy_(values.view_as(p).float())


def image(channels, size):
    i = torch.arange(BATCH * channels * size * size, dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(i * 0.7390851332151607)).float().view(BATCH, channels, size, size)


def spikingjelly(factory, cnf=None):
    from spikingjelly.activation_based import functional, neuron, surrogate
    from spikingjelly.activation_based.model import sew_resnet, spiking_resnet
    module = sew_resnet if cnf else spiking_resnet
    arguments = {"cnf": cnf} if cnf else {}
    net = getattr(module, factory)(
        spiking_neuron=neuron.LIFNode, num_classes=CLASSES, surrogate_function=surrogate.ATan(),
        detach_reset=True, **arguments)
    functional.set_step_mode(net, "m")
    neurons = {name: m for name, m in net.named_modules() if isinstance(m, neuron.LIFNode)}
    return net, neurons, lambda x: net(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))


def spikformer(size, depth, width, heads, patch_size):
    from spikingjelly.activation_based import neuron, surrogate
    from spikingjelly.activation_based.model.spikformer import Spikformer
    net = Spikformer(
        T=STEPS, img_size_h=size, img_size_w=size, patch_size=patch_size, num_classes=CLASSES, embed_dims=width,
        num_heads=heads, depths=depth, surrogate_function=surrogate.ATan())
    neurons = {name: m for name, m in net.named_modules() if isinstance(m, neuron.LIFNode)}
    return net, neurons, net


def ms_resnet18():
    from spikingjelly.activation_based import neuron
    from spikingjelly.activation_based.model.ms_resnet import ms_resnet18
    net = ms_resnet18(T=STEPS, num_classes=CLASSES)
    neurons = {name: m for name, m in net.named_modules() if isinstance(m, neuron.LIFNode)}
    steps = []
    net.head.register_forward_hook(lambda module, inputs, output: steps.append(output))

    def forward(x):
        # The network itself returns the mean over time steps.
        net(x)
        return steps.pop()
    return net, neurons, forward


def braincog(factory, module):
    import importlib

    from braincog.base.node.node import LIFNode
    from braincog.base.strategy.surrogate import AtanGrad
    zoo = importlib.import_module(f"braincog.model_zoo.{module}")
    net = getattr(zoo, factory)(
        num_classes=CLASSES, step=STEPS, node_type=LIFNode, encode_type="direct", layer_by_layer=True,
        dataset="cifar10", threshold=1.0, tau=2.0, act_fun=AtanGrad, sum_output=False,
        **({"cnf": "ADD"} if module == "sew_resnet" else {}))
    neurons = {name: m for name, m in net.named_modules() if isinstance(m, LIFNode)}
    return net, neurons, lambda x: net(x).view(STEPS, BATCH, CLASSES)


CASES = {
    ("sew_resnet18", "add", 64): functools.partial(spikingjelly, "sew_resnet18", "ADD"),
    ("sew_resnet18", "and", 64): functools.partial(spikingjelly, "sew_resnet18", "AND"),
    ("sew_resnet18", "iand", 64): functools.partial(spikingjelly, "sew_resnet18", "IAND"),
    ("sew_resnet34", "add", 64): functools.partial(spikingjelly, "sew_resnet34", "ADD"),
    ("sew_resnet50", "add", 64): functools.partial(spikingjelly, "sew_resnet50", "ADD"),
    ("spiking_resnet18", "add", 64): functools.partial(spikingjelly, "spiking_resnet18"),
    ("spiking_resnet34", "add", 64): functools.partial(spikingjelly, "spiking_resnet34"),
    ("sew_resnet20", "add", 16): functools.partial(braincog, "sew_resnet20", "sew_resnet"),
    ("tdbn_resnet19", "add", 16): functools.partial(braincog, "resnet19", "resnet19_snn"),
    ("spikformer", "add", 32): functools.partial(spikformer, 32, 4, 384, 12, 4),
    ("spikformer", "add", 64): functools.partial(spikformer, 64, 2, 128, 4, 16),
    ("ms_resnet18", "add", 64): ms_resnet18,
}
# How a case differs from the others: its parameters, its neurons, the value of batch norm's weights.
SPECIAL = {
    ("spikformer", "add", 32): {
        "architecture": {"spikformer": {"depth": 4, "width": 384, "heads": 12, "patch_size": 4}}},
    ("spikformer", "add", 64): {
        "architecture": {"spikformer": {"depth": 2, "width": 128, "heads": 4, "patch_size": 16}}},
    # Its blocks are initialised to act as shortcuts only, so that nothing in them could be compared.
    ("ms_resnet18", "add", 64): {
        "architecture": {"ms_resnet18": {}}, "norm_weight": 0.5,
        "neuron": {
            "model": {"lif": {"tau": 4 / 3, "decay_input": False}}, "v_threshold": 0.5, "detach_reset": True,
            "surrogate": {"rect": {"alpha": 2.0}}}},
}


def name_of(case):
    architecture = case["architecture"]
    return architecture if isinstance(architecture, str) else next(iter(architecture))


def measure(build, size, norm_weight=None):
    net, neurons, forward = build()
    fill(net, norm_weight)
    net.train()
    rates = {}
    for name, node in neurons.items():
        node.register_forward_hook(
            lambda module, inputs, output, name=name: rates.__setitem__(name, output.float().mean().item()))
    logits = forward(image(3, size))
    loss = nn.functional.cross_entropy(logits.mean(0), torch.arange(BATCH) % CLASSES)
    loss.backward()
    # BrainCog counts a neuron's threshold as a parameter.
    parameters = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
    return {
        "peer": type(net).__module__.split(".")[0],
        "parameters": {name: list(p.shape) for name, p in parameters},
        "logits": [round(value, 6) for value in logits.detach().flatten().tolist()],
        "loss": loss.item(),
        "gradient_norms": {name: float(f"{p.grad.norm().item():.6g}") for name, p in parameters},
        "firing_rates": {name: round(rate, 8) for name, rate in rates.items()},
    }


def main(path, *only):
    cases = []
    if only:
        with open(path) as file:
            cases = [case for case in json.load(file)["cases"] if name_of(case) not in only]
    for key, build in CASES.items():
        architecture, connect, size = key
        if only and architecture not in only:
            continue
        special = SPECIAL.get(key, {})
        try:
            result = measure(build, size, special.get("norm_weight"))
        except Exception as error:
            if only:  # the file keeps the case that it has
                raise
            print(architecture, connect, repr(error)[:300], file=sys.stderr)
            continue
        cases.append({"architecture": architecture, "connect": connect, "size": size, **special, **result})
        print(architecture, connect, result["loss"], min(result["firing_rates"].values()), file=sys.stderr)
    document = {"time_steps": STEPS, "batch": BATCH, "classes": CLASSES, "cases": cases}
    with open(path, "w") as file:
        file.write(json.dumps(document).replace('{"architecture"', '\n{"architecture"') + "\n")


main(*sys.argv[1:])
