"""`sandloop extract`: the cells of a reply, as they would run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sandloop.cli.extract import MAX_BYTES

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
REPLY = "First:\n\n```python\nprint('→ é')\n```\n\nand then\n\n```bash\nls\n```\n"


def extract(*arguments: str, reply: bytes = b"", environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [SANDLOOP, "extract", *arguments]
    return subprocess.run(command, input=reply, env=environ, capture_output=True, timeout=60, check=False)


def test_the_cells_come_out_in_order_as_blocks_or_as_objects(tmp_path: Path) -> None:
    (tmp_path / "reply.md").write_text(REPLY, "utf-8")
    done = extract(str(tmp_path / "reply.md"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "```python\nprint('→ é')\n```\n\n```bash\nls\n```\n"
    assert json.loads(extract("-", "--json", reply=REPLY.encode()).stdout) == [
        {"language": "python", "source": "print('→ é')", "origin": "fenced"},
        {"language": "bash", "source": "ls", "origin": "fenced"},
    ]


def test_a_reply_with_nothing_to_run_is_no_failure() -> None:
    done = extract("-", reply=b"It is 42.")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"nothing in this reply would run" in done.stderr
    assert extract("-", "--json", reply=b"It is 42.").stdout == b"[]\n"


def test_what_is_no_reply_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "large.md").write_bytes(b" " * (MAX_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    for name, says in (("none.md", "No such file"), ("large.md", "is over 10.0 MB"), ("binary", "not text in UTF-8")):
        done = extract(str(tmp_path / name))
        assert (done.returncode, done.stdout) == (2, b"")
        assert says in done.stderr.decode()


def test_a_stream_of_ascii_gets_signs_and_escapes_and_loses_nothing() -> None:
    done = extract("-", reply=REPLY.encode(), environ={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert done.stdout.startswith(b"```python\nprint('-> \\xe9')\n```\n")
