"""One build of an image by the engine: what goes in, what a person is told meanwhile, and why it ended.

The Docker SDK uses the engine's older builder. All that is downloaded is checked against the machine's own certificates, which
are put into the build's first stage, so that it works behind a company's certificate authority too.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sandloop.errors import ImageUnavailable
from sandloop.printable import printable

if TYPE_CHECKING:
    from docker import APIClient

CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where a machine names its own certificate authorities, the nearest to pip first."""
KEPT_LINES = 6
"""Of the build's output, in the error."""
LINE_CHARACTERS = 300

_STEP = re.compile(r"STEP (\d+)/(\d+) ?: ?(.*)", re.IGNORECASE)
_DOWNLOAD = re.compile(r"Downloading ([\w.]+)-\d\S* \((\d\d+\.\d MB)\)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(
    r"(?:--->|Removing intermediate container|Successfully (?:built|tagged)|STEP \d|The command '|\[notice\])", re.IGNORECASE
)
_WORDS = (
    ("apt-get", "installing fonts"),
    ("pip install", "installing Python packages"),
    ("COPY --from", "copying the packages"),
    ("font_manager", "preparing fonts for charts"),
    ("COPY *.py", "adding sandloop's own programs"),
    ("/build/add.py", "installing Python packages"),
)
CHECK_NETWORK = (
    "Check that this machine reaches Debian's and Python's packages (behind a private certificate authority set PIP_CERT to the "
    "file of its certificates) and that the engine's disk is not full, then try again"
)
_NAME_A_BASE = (
    "Name a base image that this engine has, or can fetch, in SANDLOOP_BASE_IMAGE (Debian with Python 3.11 or newer and pip), "
    "or run `make image` in a checkout of sandloop, which makes one from Debian's packages when it runs as root"
)


class ImageBuild:
    """Builds one image and keeps the last lines of what was said, for the error."""

    what = "the sandbox image"
    kept_lines = KEPT_LINES

    def __init__(self, image: str, on_progress: Callable[[str], None]) -> None:
        self.image = image
        self._on_progress = on_progress
        self._step = ""
        self._last: collections.deque[str] = collections.deque(maxlen=self.kept_lines)

    def run(self, client: APIClient, inputs: Mapping[str, bytes], base: str) -> None:
        """Raises `ImageUnavailable` with the last lines of the build."""
        self._on_progress(f"building the sandbox image on {printable(base)} (once, about 2 minutes)")
        self.send(client, {**inputs, **certificates(os.environ)}, buildargs={"BASE_IMAGE": base})

    def send(self, client: APIClient, context: Mapping[str, bytes], **arguments: Any) -> None:
        """Have the engine build from these files, and follow it to its end. Raises `ImageUnavailable`."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            # No time limit: a download says nothing for as long as it takes.
            messages = cast("Any", client).build(
                fileobj=build_context(context), custom_context=True, tag=self.image, rm=True, forcerm=True, decode=True,
                timeout=None, **arguments,
            )  # fmt: skip
            with contextlib.closing(messages):  # and with it the connection, which ends a build that nobody waits for
                self.follow(messages)
        except (DockerException, RequestException) as error:
            raise ImageUnavailable(image=self.image, said=clean(_words(error)), do=CHECK_NETWORK) from error

    def follow(self, messages: Iterable[Any]) -> None:
        """Tells the steps, and raises the build's own error once the stream is read to its end, which frees the connection."""
        failure: str | None = None
        for message in messages:
            heard = cast("dict[str, Any]", message) if isinstance(message, dict) else {}
            for line in str(heard.get("stream", "")).splitlines():
                self._hear(clean(line))
            failure = str(heard["error"]) if "error" in heard else failure
        if failure is not None:
            raise self.failed(list(self._last) or [clean(failure)])

    def failed(self, last: list[str]) -> ImageUnavailable:
        """What to say of a build that ended with these lines."""
        return ImageUnavailable(image=self.image, said="the build ended with: " + " | ".join(last), do=CHECK_NETWORK)

    def _hear(self, line: str) -> None:
        if line and not _NOISE.match(line):
            self._last.append(line)
        if step := _STEP.match(line):
            what = next((words for sign, words in _WORDS if sign in step[3]), "")
            self._step = f"step {step[1]} of {step[2]}" + (f", {what}" if what else "")
            if what:
                self._tell(self._step)
        elif package := _DOWNLOAD.match(line):
            self._tell(f"{self._step}: downloading {package[1]}, {package[2]}")
        elif line.startswith("Installing collected packages"):
            self._tell(f"{self._step}: unpacking")

    def _tell(self, what: str) -> None:
        self._on_progress(f"building {self.what}: {what}")


def pull(client: APIClient, base: str, *, image: str, on_progress: Callable[[str], None]) -> None:
    """Fetches the base image. Raises `ImageUnavailable`, which says what else can serve."""
    from docker.errors import DockerException
    from docker.utils import parse_repository_tag
    from requests.exceptions import RequestException

    on_progress(f"fetching the base image {printable(base)}")
    repository, tag = parse_repository_tag(base)
    try:
        messages = list(cast("Any", client).pull(repository, tag or "latest", stream=True, decode=True))
    except (DockerException, RequestException) as error:
        raise ImageUnavailable(image=image, said=_no_base(base, _words(error)), do=_NAME_A_BASE) from error
    for message in messages:
        if "error" in message:
            raise ImageUnavailable(image=image, said=_no_base(base, str(message["error"])), do=_NAME_A_BASE)


def _words(error: Exception) -> str:
    """The engine's own words, where it said any."""
    return str(getattr(error, "explanation", None) or error)


def _no_base(base: str, said: str) -> str:
    return f"its base image {printable(base)} can't be fetched ({clean(said)})"


def build_context(inputs: Mapping[str, bytes]) -> io.BytesIO:
    """A tar of the inputs, the same bytes for the same inputs: owned by root, readable, of no date."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name in sorted(inputs):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(inputs[name]), 0o644
            tar.addfile(member, io.BytesIO(inputs[name]))
    whole.seek(0)
    return whole


def certificates(environ: Mapping[str, str]) -> dict[str, bytes]:
    """The machine's own certificate authorities, as the build takes them; nothing where none are named."""
    for variable in CERTIFICATES:
        path = Path(environ.get(variable) or "/nowhere")
        if path.is_file():
            return {"ca.pem": path.read_bytes()}
    return {}


def clean(line: str) -> str:
    """A line of the engine's, without colours, short, and safe to show."""
    return printable(_COLOUR.sub("", line).strip())[:LINE_CHARACTERS]
