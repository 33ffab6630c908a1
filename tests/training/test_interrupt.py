"""The flag that signals raise."""

from __future__ import annotations

import os
import signal

import pytest

from tabgraphsyn.training.interrupt import STOP_SIGNALS, SignalFlag


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_raises_the_flag_and_nothing_else(number: signal.Signals) -> None:
    former = signal.getsignal(number)
    with SignalFlag() as flag:
        assert not flag.requested
        os.kill(os.getpid(), number)
        assert flag.requested
        assert flag.signal_name == number.name
    assert signal.getsignal(number) == former


def test_a_second_ctrl_c_stops_at_once() -> None:
    with SignalFlag() as flag:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.requested
