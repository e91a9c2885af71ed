"""A mutant that every co-simulation has to find."""

from hw.verilog.rtl_folder import Emission
from sim.mutation.sites import Mutant, sites


def adder_of(emission: Emission, layer: str) -> Mutant:
    """The first adder of a layer's processing element, made to subtract."""
    below = f"{emission.manifest['top']}.{layer.replace('/', '.')}.elements"
    site = next(
        site
        for site in sites(emission.verilog, emission.manifest["top"], below)
        if site.kind == "arithmetic operator" and " + " in site.before
    )
    statement = site.statement
    return Mutant(site.kind, statement.module, statement.line, site.before, site.after[0])
