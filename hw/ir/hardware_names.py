"""Names of nodes in hardware, where their paths are paths of Verilog modules.

Which names they cannot have, and which they get where a network comes from elsewhere.
"""

import re
from collections.abc import Collection, Iterable

from hw.errors import InputError
from hw.ir.graph import Graph

KEYWORDS = frozenset(
    """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup coverpoint
    cross deassign default defparam design disable dist do edge else end endcase endchecker endclass
    endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
    endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event
    eventually expect export extends extern final first_match for force foreach forever fork
    forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins
    implements implies import incdir include initial inout input inside instance int integer
    interconnect interface intersect join join_any join_none large let liblist library local
    localparam logic longint macromodule matches medium modport module nand negedge nettype new
    nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos
    posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime
    ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always
    s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super
    supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout time
    timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
    union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void
    wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
    """.split()
)
"""Reserved words of SystemVerilog (IEEE 1800-2017, annex B), those of Verilog among them."""

PORTS = ("clk", "rst", "load")
"""Ports that modules have beside their streams'."""

AXI = ("s_axis_", "m_axis_", "s_axil_")
"""How the network's own ports begin."""

SEPARATOR = "__"
"""Between a module's name and its port's, a port's and its field's."""


def require_names(graph: Graph) -> None:
    """Raise InputError where a node's name would be another name of the hardware too.

    The image's node is no module, and may be called as it likes.
    """
    nodes = graph.nodes[1:]
    taken: dict[str, str] = {}
    for node in graph:
        # Ports and forks of a tensor are called after it.
        tensor = flat(node.name)
        if taken.setdefault(tensor, node.name) != node.name:
            raise _wrong(node.name, f"ports are called alike for {taken[tensor]}")
    forks = {fork_name(node.name): node.name for node in graph}
    for node in nodes:
        parts = node.name.split("/")
        for part in parts:
            if part in KEYWORDS:
                raise _wrong(node.name, f"{part} is a reserved word of SystemVerilog")
            if SEPARATOR in part:
                raise _wrong(node.name, f"{SEPARATOR} stands between module and port")
            if part in PORTS:
                raise _wrong(node.name, f"{part} is a port of every module")
            if part in forks:
                raise _wrong(node.name, f"{part} is the fork behind {forks[part]}")
        if parts[0].startswith(AXI):
            raise _wrong(node.name, f"{parts[0]} begins like a port of the network")
        if parts[0] == "loader":
            raise _wrong(node.name, "loader is the module that takes loaded weights")
    first = {node.name.partition("/")[0] for node in nodes}
    for name in sorted(first):
        if f"load_{name}" in first:
            raise _wrong(f"load_{name}", f"that is where {name} gets its loaded weights")


def possible(words: Iterable[str], taken: Collection[str]) -> str:
    """A name that hardware can have, like the words of a foreign one, and no node has.

    Whoever reads a network from elsewhere names its nodes by this, so that what is trained or
    imported is not refused when hardware is made of it.

    Parameters
    ----------
    words: what stands between the /, any text; empty ones are left out
    taken: names of the other nodes
    """
    parts = [_possible_word(word) for word in words if word] or ["node"]
    if "_".join(parts).startswith((*AXI, "load_")) or parts[0] == "loader":
        parts[0] = f"node_{parts[0]}"
    name, number = "/".join(parts), 1
    # Without / it lies in no other one.
    base = flat(name)
    while not _is_free(name, taken):
        number += 1
        name = f"{base}_{number}"
    return name


def _possible_word(word: str) -> str:
    """Letters, digits and single _, a letter first, no word or port that there is already."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", word).strip("_") or "node"
    if cleaned in KEYWORDS or cleaned in PORTS:
        cleaned = f"{cleaned}_node"
    return cleaned if cleaned[0].isalpha() and not cleaned.startswith("fork_") else f"n_{cleaned}"


def _is_free(name: str, taken: Collection[str]) -> bool:
    return not any(
        flat(one) == flat(name) or one.startswith(f"{name}/") or name.startswith(f"{one}/")
        for one in taken
    )


def flat(tensor: str) -> str:
    """A tensor's name within a port's or a fork's."""
    return tensor.replace("/", "_")


def fork_name(tensor: str) -> str:
    """The module that copies a tensor to its readers: `fork_stem_conv`."""
    return f"fork_{flat(tensor)}"


def _wrong(node: str, why: str) -> InputError:
    return InputError(f"network.json: {node}: {why}; rename the node")
