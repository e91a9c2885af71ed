"""The component bench passes a right component and catches each kind of wrong one."""

import random

import pytest
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.dataflow.layers.streams import Fork, Skid
from hw.errors import CheckFailed
from sim.component import check


class Scaler(wiring.Component):
    """o = 3·i through one register; `fault` makes it wrong in one way."""

    def __init__(self, fault: str = ""):
        self.fault = fault
        super().__init__(
            {"i": In(stream.Signature(signed(8))), "o": Out(stream.Signature(signed(10)))}
        )

    def elaborate(self, platform):
        m = Module()
        full, seen, count = Signal(), Signal(), Signal(8)
        valid = Signal()
        m.d.comb += [
            self.i.ready.eq(~full | (valid & self.o.ready)),
            valid.eq(full),
            self.o.valid.eq(valid),
        ]
        with m.If(valid & self.o.ready):
            m.d.sync += [full.eq(0), count.eq(count + 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), self.o.payload.eq(self.i.payload * 3)]
        m.d.sync += seen.eq(full & ~seen)
        match self.fault:
            case "withdraws":
                m.d.comb += valid.eq(full & ~(seen & ~self.o.ready))
            case "changes":
                with m.If(full & ~self.o.ready):
                    m.d.sync += self.o.payload.eq(self.o.payload + 1)
            case "waits":
                m.d.comb += self.o.valid.eq(full & self.o.ready)
            case "drops":
                with m.If(full & ~self.o.ready & (count == 9)):
                    m.d.sync += full.eq(0)
            case "repeats":
                m.d.comb += self.i.ready.eq((~full | self.o.ready) & (count != 9))
                with m.If(full & (count == 9)):
                    m.d.sync += full.eq(1)
            case "wrong":
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += self.o.payload.eq(Mux(count == 17, 0, self.i.payload * 3))
        return m


def beats(count: int) -> list[int]:
    rng = random.Random(1)
    return [rng.randrange(-128, 128) or 1 for _ in range(count)]


def test_right_component_passes_at_full_speed_and_under_stalls():
    inputs = beats(120)
    result = check(Scaler(), {"i": inputs}, [3 * beat for beat in inputs], shape=(4, 5, 3))
    assert result.beats == 5 * 120
    assert result.cycles[0] <= 123
    assert all(cycles > result.cycles[0] for cycles in result.cycles[1:])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("withdraws", "valid withdrawn before it was taken"),
        ("changes", "payload changed from"),
        ("waits", "stalls 0.2/after_valid: nothing moved for 301 cycles"),
        ("drops", "o: beat 9: valid withdrawn"),
        ("repeats", "o: beat 10: frame 0, pixel"),
        ("wrong", r"o: beat 18: frame 0, pixel \(1, 1\), channel 0: expected"),
    ],
)
def test_wrong_component_is_caught(fault, message):
    inputs = beats(60)
    with pytest.raises(CheckFailed, match=message):
        check(
            Scaler(fault),
            {"i": inputs},
            [3 * beat for beat in inputs],
            shape=(4, 5, 3),
            patience=300,
        )


def test_missing_and_surplus_beats_are_caught():
    inputs = beats(20)
    outputs = [3 * beat for beat in inputs]
    with pytest.raises(CheckFailed, match="one too many, expected 19 beats"):
        check(Scaler(), {"i": inputs}, outputs[:-1], stalls=[(0, 0)])
    with pytest.raises(CheckFailed, match="o: 20 of 21 beats"):
        check(Scaler(), {"i": inputs}, [*outputs, 0], stalls=[(0, 0)], patience=200)


def test_several_outputs():
    inputs = beats(50)
    result = check(Fork(signed(8), 3), {"i": inputs}, {f"o{k}": inputs for k in range(3)})
    assert result.beats == 5 * 150


def test_skid_in_verilog():
    inputs = beats(100)
    result = check(Skid(signed(8)), {"i": inputs}, inputs)
    assert result.cycles[0] == 101


def test_same_seed_same_cycles():
    inputs = beats(40)
    outputs = [3 * beat for beat in inputs]
    runs = [check(Scaler(), {"i": inputs}, outputs, seed=seed).cycles for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_call_that_does_not_fit_the_ports():
    with pytest.raises(ValueError, match=r"has inputs \['i'\]"):
        check(Scaler(), {"x": [1]}, [3])
    with pytest.raises(
        ValueError, match=r"i: beats span \[1, 300\], the payload holds \[-128, 127\]"
    ):
        check(Scaler(), {"i": [1, 300]}, [3, 900])


def test_a_check_of_nothing_and_a_wrong_stall_are_refused_before_anything_is_built(monkeypatch):
    def built(*_, **__):
        raise AssertionError("built")

    monkeypatch.setattr("sim.runner.build", built)
    with pytest.raises(ValueError, match="o: no beats expected; nothing would be compared"):
        check(Scaler(), {"i": [1]}, [])
    with pytest.raises(ValueError, match="stalls: expected at least one pair"):
        check(Scaler(), {"i": [1]}, [3], stalls=[])
    with pytest.raises(ValueError, match="stall 'often': expected never"):
        check(Scaler(), {"i": [1]}, [3], stalls=[(0, "often")])
