"""Plug-ins loaded in this process, and everything as it was afterwards."""

import sys
from contextlib import contextmanager

from hw import plugins
from hw.data import shipped
from hw.networks import registration, space


@contextmanager
def forgotten():
    """What is registered within is gone at the end."""
    registries = [space.OPERATIONS, shipped.LOADERS, plugins._loaded]
    sets = [registration._registered, plugins._installed]
    for module, name in (("nas.strategies.registry", "STRATEGIES"), ("nas.config", "PRESETS")):
        if module in sys.modules:
            registries.append(getattr(sys.modules[module], name))
    kept = [dict(registry) for registry in registries]
    names = [set(one) for one in sets]
    modules = set(sys.modules)
    try:
        yield
    finally:
        for registry, before in zip(registries, kept, strict=True):
            registry.clear()
            registry.update(before)
        for one, before in zip(sets, names, strict=True):
            one.clear()
            one.update(before)
        for name in set(sys.modules) - modules:
            if name.startswith(plugins.PREFIX) or name.startswith("mine"):
                del sys.modules[name]
