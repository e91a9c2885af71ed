"""Sources, sinks, monitors, protocol checkers, scoreboards and cover groups for streams, for use in
cocotb tests.

from sim.stream import Scoreboard, Signals, Sink, Source, Testbench
"""

from sim.stream.cover import CoverGroup
from sim.stream.layers import layers
from sim.stream.monitor import Monitor
from sim.stream.protocol import ProtocolError
from sim.stream.scoreboard import Scoreboard
from sim.stream.signals import Signals
from sim.stream.sink import Sink
from sim.stream.source import Source
from sim.stream.testbench import Hang, Testbench

__all__ = [
    "CoverGroup",
    "Hang",
    "Monitor",
    "ProtocolError",
    "Scoreboard",
    "Signals",
    "Sink",
    "Source",
    "Testbench",
    "layers",
]
