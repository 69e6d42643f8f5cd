"""The frameworks by name. Each is imported only when requested: they do not mix well in one process."""

import importlib

# name: (module, function that returns its cases)
_FRAMEWORKS = {
    "ref-c-fused": ("reference", "c_fused"),
    "ref-torch-compile": ("reference", "compiled"),
    "ref-torch-eager": ("reference", "eager"),
    "spikingjelly": ("peer_spikingjelly", "multi_step"),
    "spikingjelly-s": ("peer_spikingjelly", "single_step"),
    "snntorch": ("peer_snntorch", "cases"),
    "norse": ("peer_norse", "cases"),
    "sinabs": ("peer_sinabs", "cases"),
    "rockpool": ("peer_rockpool", "cases"),
    "lava-dl": ("peer_lava", "cases"),
    "braincog": ("peer_braincog", "cases"),
    "spyx": ("peer_spyx", "cases"),
}
NAMES = list(_FRAMEWORKS)


def load(name):
    """The cases of the framework `name` (see case.py)."""
    module, function = _FRAMEWORKS[name]
    return getattr(importlib.import_module(f".{module}", __package__), function)()
