import random

import pytest
from amaranth.sim import Simulator

from hw.board import uart

DIVISOR = 7


def simulate(component, *processes, monitors=()):
    sim = Simulator(component)
    sim.add_clock(1e-6)
    if isinstance(component, uart.Receiver):
        sim.add_testbench(rest(component.rx))
    for process in processes:
        sim.add_testbench(process)
    for monitor in monitors:
        sim.add_testbench(monitor, background=True)
    sim.run()


def rest(line):
    async def process(ctx):
        ctx.set(line, 1)

    return process


async def send(ctx, line, bits, cycles=DIVISOR):
    for bit in bits:
        ctx.set(line, bit)
        await ctx.tick().repeat(cycles)


def character(byte, stop=1):
    return [0, *((byte >> n) & 1 for n in range(8)), stop]


def collector(stream, taken):
    async def collect(ctx):
        ctx.set(stream.ready, 1)
        async for _, _, valid, payload in ctx.tick().sample(stream.valid, stream.payload):
            if valid:
                taken.append(payload)

    return collect


@pytest.mark.parametrize("skew", [-1, 0, 1], ids=["fast", "exact", "slow"])
def test_receiver_takes_bytes_back_to_back(skew):
    # One cycle in 25 is 4 %, near to all that a receiver can stand.
    receiver, taken = uart.Receiver(25), []
    data = random.Random(1).randbytes(20)

    async def host(ctx):
        for byte in data:
            await send(ctx, receiver.rx, character(byte), 25 + skew)
        ctx.set(receiver.rx, 1)
        await ctx.tick().repeat(40)

    simulate(receiver, host, monitors=[collector(receiver.o, taken)])
    assert bytes(taken) == data


def test_receiver_drops_what_has_no_stop_bit_and_goes_on():
    receiver, taken = uart.Receiver(DIVISOR), []

    async def host(ctx):
        await send(ctx, receiver.rx, [*character(0x00, stop=0), 1, 1])
        await send(ctx, receiver.rx, character(0x5A))
        await send(ctx, receiver.rx, [1, 1])

    simulate(receiver, host, monitors=[collector(receiver.o, taken)])
    assert taken == [0x5A]


def test_receiver_ignores_a_spike():
    receiver, taken = uart.Receiver(DIVISOR), []

    async def host(ctx):
        ctx.set(receiver.rx, 0)
        await ctx.tick().repeat(2)
        await send(ctx, receiver.rx, [1] * 12)
        await send(ctx, receiver.rx, character(0xC3))
        await send(ctx, receiver.rx, [1, 1])

    simulate(receiver, host, monitors=[collector(receiver.o, taken)])
    assert taken == [0xC3]


def test_break_is_told_from_the_longest_character():
    receiver, breaks, taken = uart.Receiver(DIVISOR), [], []

    async def host(ctx):
        await send(ctx, receiver.rx, character(0x00))
        breaks.append(ctx.get(receiver.line_break))
        await send(ctx, receiver.rx, [1] + [0] * (uart.BREAK_BITS + 1))
        breaks.append(ctx.get(receiver.line_break))
        await send(ctx, receiver.rx, [1, 1])
        breaks.append(ctx.get(receiver.line_break))
        await send(ctx, receiver.rx, [*character(0x81), 1])

    simulate(receiver, host, monitors=[collector(receiver.o, taken)])
    assert breaks == [0, 1, 0]
    assert taken == [0x00, 0x81]


def test_transmitter_line():
    transmitter, line = uart.Transmitter(DIVISOR), []
    data = [0x00, 0xFF, 0xA5]

    async def source(ctx):
        for byte in data:
            ctx.set(transmitter.i.payload, byte)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)

    async def watch(ctx):
        await ctx.negedge(transmitter.tx)
        for _ in data:
            bits = []
            await ctx.tick().repeat(DIVISOR // 2)
            for n in range(10):
                bits.append(ctx.get(transmitter.tx))
                if n < 9:
                    await ctx.tick().repeat(DIVISOR)
            line.append(bits)
            if len(line) < len(data):
                await ctx.negedge(transmitter.tx)

    simulate(transmitter, source, watch)
    assert line == [character(byte) for byte in data]


@pytest.mark.parametrize(
    "mhz, baud, cycles", [(50, 1_000_000, 50), (65.625, 1_000_000, 66), (25, 115_200, 217)]
)
def test_divisor(mhz, baud, cycles):
    assert uart.divisor(mhz * 1e6, baud) == cycles


@pytest.mark.parametrize("mhz, baud", [(3, 1_000_000), (10.4, 2_000_000)])
def test_rates_out_of_reach_are_refused(mhz, baud):
    with pytest.raises(ValueError, match="out of reach"):
        uart.divisor(mhz * 1e6, baud)
