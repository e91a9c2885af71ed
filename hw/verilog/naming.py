"""Names of nets in emitted hardware, where Amaranth leaves numbers.

Amaranth names a net after a signal that is exactly this net. It numbers the others: ports that
carry a part of a signal (`port$628$6`), registers of a part (`$45`), next states (`$44`) and the
signals of a submodule's interface seen from outside (`i__payload$12`). Here they become
`o__payload_5_0` (bits 5 to 0), `acc0_next`, and `window__o__payload`; a port that carries several
signals side by side becomes `move_to_carry`, and a second signal of a name `value_`.
"""

import re
from collections.abc import Iterator

from amaranth.hdl import Signal, Value
from amaranth.hdl._ir import Design, DesignFragmentInfo
from amaranth.hdl._nir import AssignmentList, FlipFlop, Module, Net, Netlist, SignalField
from amaranth.hdl._nir import Value as Nets
from amaranth.lib import wiring

_NUMBERED = "port$"
"""How the names begin that Amaranth makes up for ports."""

_AGAIN = re.compile(r"(.+)\$\d+")
"""What Amaranth calls a signal whose name another one has."""

_FIRST = ("clk", "rst")
"""Ports that come before all others."""


def interface(component: wiring.Component) -> Iterator[tuple[str, Signal, wiring.Flow]]:
    """Name, signal and direction of each port of a component."""
    for path, member, value in component.signature.flatten(component):
        signal = Value.cast(value)
        if isinstance(signal, Signal):
            yield "__".join(map(str, path)), signal, member.flow


def name_signals(design: Design) -> None:
    """Name signals of interfaces: plainly in the component itself, after it in its parent."""
    for fragment, info in design.fragments.items():
        outputs, inputs = {}, {}
        for child, name, _ in fragment.subfragments:
            for origin in child.origins or ():
                if isinstance(origin, wiring.Component) and name is not None:
                    for port, signal, flow in interface(origin):
                        (outputs if flow is wiring.Out else inputs)[f"{name}__{port}"] = signal
        # The driver's name comes before the readers'.
        _to_front(info, _rename(info, outputs | inputs))
        for origin in fragment.origins or ():
            if isinstance(origin, wiring.Component):
                first = {port: signal for port, signal, _ in interface(origin)}
                _to_front(info, _rename(info, first))
        _count(info)


def _count(info: DesignFragmentInfo) -> None:
    """Signals of one name: the second is called `name_`, whatever else there is."""
    names = info.signal_names
    taken = set(names.values())
    for signal, name in names.items():
        if match := _AGAIN.fullmatch(name):
            wanted = match[1]
            while wanted in taken:
                wanted += "_"
            taken.add(wanted)
            names[signal] = wanted


def _rename(info: DesignFragmentInfo, wanted: dict[str, Signal]) -> dict[str, Signal]:
    """Give signals the names wanted; returns those that the fragment knows.

    Amaranth hands a name to the first signal that asks for it and numbers the others: in a layer
    whose parts have a stream `o` too, the layer's own signal might be `o__valid$12` and an inner
    one `o__valid`. Here they swap.
    """
    names = info.signal_names
    holders = {name: signal for signal, name in names.items()}
    known = {}
    for name, signal in wanted.items():
        if signal not in names:
            continue
        given = names[signal]
        del holders[given]
        holder = holders.get(name)
        if holder is not None:
            names[holder], holders[given] = given, holder
        names[signal], holders[name] = name, signal
        known[name] = signal
    return known


def _to_front(info: DesignFragmentInfo, first: dict[str, Signal]) -> None:
    """Among signals that are the same net, the first gives it the name."""
    names = info.signal_names
    rest = [(signal, name) for signal, name in names.items() if name not in first]
    names.clear()
    for name, signal in first.items():
        names[signal] = name
    for signal, name in rest:
        names[signal] = name


def name_nets(netlist: Netlist) -> None:
    """Name ports and cells' outputs that are a part of a signal, and next states."""
    for module in netlist.modules:
        _drop_aliases(netlist, module)
        names = _names(netlist, module)
        ports = {
            names.get(value, name) if name.startswith(_NUMBERED) else name: (value, flow)
            for name, (value, flow) in module.ports.items()
        }
        order = dict.fromkeys([*_FIRST, *module.signal_names.values(), *ports])
        module.ports = {name: ports[name] for name in order if name in ports}


def _drop_aliases(netlist: Netlist, module: Module) -> None:
    """Forget a submodule's port in its parent where the same nets have another name."""
    children = {netlist.modules[child].name[-1] for child in module.submodules}
    groups: dict[Nets, list[Signal]] = {}
    for signal, name in module.signal_names.items():
        child, _, port = name.partition("__")
        if child in children and port and name not in module.ports:
            groups.setdefault(netlist.signals[signal], []).append(signal)
    theirs = {id(signal) for signals in groups.values() for signal in signals}
    own = {netlist.signals[signal] for signal in module.signal_names if id(signal) not in theirs}
    for nets, signals in groups.items():
        for signal in signals if nets in own else signals[1:]:
            del module.signal_names[signal]


def _names(netlist: Netlist, module: Module) -> dict[Nets, str]:
    """Names for nets without one; each becomes a signal of the module."""
    taken = {*module.signal_names.values(), *module.ports}
    known = {netlist.signals[signal]: name for signal, name in module.signal_names.items()}
    cells = [(number, netlist.cells[number]) for number in module.cells]
    registers = {
        _outputs(number, len(cell.data)): cell
        for number, cell in cells
        if isinstance(cell, FlipFlop)
    }
    wanted = [nets for name, (nets, _) in module.ports.items() if name.startswith(_NUMBERED)]
    for child in module.submodules:
        wanted += [nets for nets, _ in netlist.modules[child].ports.values()]
    wanted += registers
    wanted += [
        _outputs(number, len(cell.default))
        for number, cell in cells
        if isinstance(cell, AssignmentList)
    ]
    made: dict[Nets, str] = {}

    def give(nets: Nets, name: str | None) -> None:
        if name is None or name in taken or nets in known or nets in made:
            return
        signal = Signal(len(nets), name=name)
        netlist.signals[signal] = nets
        netlist.signal_fields[signal] = {(): SignalField(nets, signed=False)}
        module.signal_names[signal] = made[nets] = name
        taken.add(name)

    for nets, name in _parts(netlist, module, wanted):
        give(nets, name)
    for name, (nets, _) in module.ports.items():
        if name.startswith(_NUMBERED):
            give(nets, _span(netlist, module, nets))
    for nets, cell in registers.items():
        name = known.get(nets) or made.get(nets)
        give(cell.data, name and f"{name}_next")
    return made


def _outputs(cell: int, width: int) -> Nets:
    return Nets(Net.from_cell(cell, bit) for bit in range(width))


def _parts(netlist: Netlist, module: Module, wanted: list[Nets]) -> Iterator[tuple[Nets, str]]:
    """For each of the wanted nets that lie side by side in a signal: `signal_high_low`."""
    bits: dict[Net, list[tuple[str, Nets, int]]] = {nets[0]: [] for nets in wanted}
    for signal, name in module.signal_names.items():
        whole = netlist.signals[signal]
        for position, net in enumerate(whole):
            if net in bits:
                bits[net].append((name, whole, position))
    for nets in wanted:
        for name, whole, low in bits[nets[0]]:
            high = low + len(nets) - 1
            if whole[low : high + 1] == nets:
                yield nets, f"{name}_{high}_{low}" if high > low else f"{name}_{low}"
                break


def _span(netlist: Netlist, module: Module, nets: Nets) -> str | None:
    """A name for signals side by side: the first one's and the last one's."""
    first = last = None
    for signal, name in module.signal_names.items():
        whole = netlist.signals[signal]
        if first is None and len(whole) <= len(nets) and nets[: len(whole)] == whole:
            first = name
        if last is None and len(whole) <= len(nets) and nets[len(nets) - len(whole) :] == whole:
            last = name
    return f"{first}_to_{last}" if first and last and first != last else None
