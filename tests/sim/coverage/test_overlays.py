"""The bins of overlays: each once, what is out of reach with its reason, other versions told."""

from hw.overlay.isa import Flow, Mode, Register
from sim.coverage import overlays
from sim.coverage.group import Group


def test_every_register_mode_and_flow_has_a_bin():
    groups = overlays.declare()
    assert {f"{register.name} set" for register in Register} <= set(groups["register"].hits)
    assert {f"FLOW {flow.name}" for flow in Flow} <= set(groups["word"].hits)
    for mode in Mode:
        assert any(name.startswith(f"{mode.name}, ") for name in groups["capture"].hits)
    reasons = {name: why for group in groups.values() for name, why in group.out_of_reach.items()}
    assert list(reasons) == ["LOADING"]


def test_groups_of_another_version_are_told():
    known = overlays.declare()
    assert overlays.unlike(known.values()) is None
    fewer = known | {"status": Group.of("status", ["NONE"])}
    assert overlays.unlike(fewer.values()) == "status"
    assert overlays.unlike([Group.of("other", ["bin"]), *known.values()]) == "other"


def test_names_of_numbers():
    assert [overlays.sign(value) for value in (-3, 0, 2)] == list(overlays.SIGNS)
    assert [overlays.amount(value) for value in (0, 2, 3, 15)] == ["0", "2", *["3 or more"] * 2]
