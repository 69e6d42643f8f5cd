"""Further golden cases for neurons: SpikingJelly's results for CLIF and GLIF. Appends the missing cases to
datasets/golden/index.json.

    pip install torch numpy safetensors scipy tqdm spikingjelly==2.0.0
    python benches/peers/snn/golden.py datasets/golden

`configuration` is the neuron as written in this project's configurations. Gradients are those of the sum of
`s * grad_s`; a learned parameter is `param.<name>` with its gradient `grad_param.<name>`.
"""

import importlib.metadata
import json
import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from spikingjelly.activation_based import functional, neuron, surrogate

FOLDER = sys.argv[1]
PEER = f"spikingjelly {importlib.metadata.version('spikingjelly')}"
T, N = 6, 64
index_path = os.path.join(FOLDER, "index.json")
index = json.load(open(index_path))
known = {case["file"] for case in index}


def add(file, name, configuration, tensors):
    if file in known:
        return
    arrays = {key: np.ascontiguousarray(value.detach().numpy()) for key, value in tensors.items()}
    save_file(arrays, os.path.join(FOLDER, file))
    index.append({"file": file, "peer": PEER, "kind": "neuron", "neuron": name, "configuration": configuration,
                  "tensors": {key: list(value.shape) for key, value in arrays.items()}})


def sequence(seed):
    generator = torch.Generator().manual_seed(seed)
    x = 1.2 * torch.randn(T, N, generator=generator) + 0.4
    return x.requires_grad_(), torch.randn(T, N, generator=generator)


def clif(file, seed, tau, v_threshold, function, ours):
    x, grad_s = sequence(seed)
    node = neuron.ComplementaryLIFNode(tau=tau, v_threshold=v_threshold, surrogate_function=function, step_mode="m",
                                       store_state_seqs=True)
    s = node(x)
    (s * grad_s).sum().backward()
    configuration = {"model": {"clif": {"tau": tau}}, "v_threshold": v_threshold, "v_reset": "none", "surrogate": ours}
    add(file, "clif", configuration, {"x": x, "grad_s": grad_s, "s": s, "v": node.state_seqs[0], "grad_x": x.grad})


def glif(file, seed, v_threshold, function, ours):
    """Gated LIF with one set of parameters for all neurons and one conductance for all steps."""
    x, grad_s = sequence(seed)
    names = ["alpha", "beta", "gamma", "tau", "linear_decay", "v_subreset", "conduct"]
    generator = torch.Generator().manual_seed(seed + 1)
    learned = {name: torch.randn((), generator=generator).requires_grad_() for name in names}
    threshold = torch.tensor(v_threshold, requires_grad=True)
    rates = {name: value.sigmoid() for name, value in learned.items()}
    v, spike = torch.zeros(N), torch.zeros(N)
    membranes, spikes = [], []
    for step in x:
        spike, v = functional.gated_lif_step(step, v, spike, v_threshold=threshold, surrogate_function=function, **rates)
        membranes.append(v)
        spikes.append(spike)
    s = torch.stack(spikes)
    (s * grad_s).sum().backward()
    tensors = {"x": x, "grad_s": grad_s, "s": s, "v": torch.stack(membranes), "grad_x": x.grad,
               "grad_v_threshold": threshold.grad.reshape(1)}
    for name, value in learned.items():
        tensors |= {f"param.{name}": value.reshape(1), f"grad_param.{name}": value.grad.reshape(1)}
    add(file, "glif", {"model": {"glif": {}}, "v_threshold": v_threshold, "surrogate": ours}, tensors)


clif("clif_sj_tau2.0_sigmoid.safetensors", 1, 2.0, 1.0, surrogate.Sigmoid(alpha=4.0), {"sigmoid": {"alpha": 4.0}})
clif("clif_sj_tau1.5_rect.safetensors", 2, 1.5, 0.75, surrogate.Rect(alpha=1.0), {"rect": {"alpha": 1.0}})
glif("glif_sj_sigmoid.safetensors", 11, 0.5, surrogate.Sigmoid(alpha=4.0), {"sigmoid": {"alpha": 4.0}})
glif("glif_sj_atan.safetensors", 5, 0.75, surrogate.ATan(alpha=2.0), {"atan": {"alpha": 2.0}})

json.dump(index, open(index_path, "w"), indent=1)
print(f"{len(index) - len(known)} cases added")
