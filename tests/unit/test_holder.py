"""How the user's holder ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

END_ITSELF_AND_WAIT = """
    import os, signal, sys
    from pathlib import Path
    from sandloop_sandbox import handover, holder
    from sandloop_sandbox.ahead import make, start
    from sandloop_sandbox.pool import Pool

    with holder.signals_to_end() as told_to_end, handover.listen(Path(sys.argv[1])) as listener:
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        holder.Holder(listener, Pool(make, start), "place", idle=60).serve(told_to_end)
    print("ended")
"""


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_that_comes_before_it_waits_is_heard(signal: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        command = [sys.executable, "-c", textwrap.dedent(END_ITSELF_AND_WAIT), str(Path(folder) / "place"), signal]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
