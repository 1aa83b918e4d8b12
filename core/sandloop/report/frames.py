"""HTML that a model's code made, for a frame that can do nothing.

Three walls, each enough by itself: what the frame is given is cleaned down to text, tables and pictures inside the file; the
frame is sandboxed, so that no script runs, no form is sent and nothing around it moves; and a `srcdoc` frame inherits the policy of
its page, which lets nothing load, and which the frame's own policy repeats. The first is there for what policies do not cover: a
browser may look up the name in a `<link rel=preconnect>` whatever the policy says.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

import nh3
from markupsafe import escape

MAX_HTML = 300_000
_TAGS = """
a abbr article aside b bdi blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption figure
footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp section small span strong style sub summary
sup table tbody td tfoot th thead tr tt u ul var wbr
"""
_ATTRIBUTES = {
    "*": {"class", "id", "title", "dir", "lang", "align", "valign", "width", "height", "border"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_TEXT = re.compile(r"<style[^>]*>.*?</style>|<[^>]*>|\s", re.DOTALL)
_BASE_CSS = ":root{color-scheme:light;background:#fff;color:#111;font:14px system-ui,sans-serif}td,th{padding:2px 8px}"
_REACHES_OUT = re.compile(r"url|@import|image-set|image\(|src\(|\\", re.IGNORECASE)
"""In a style sheet: what names something to load, or could hide such a name. The policy stops it, but a browser would try."""
_MAX_STYLES = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """A document for `srcdoc`, and the hashes of its style sheets, which the page around it has to allow."""

    document: str
    styles: tuple[str, ...]
    scripts: bool
    """Whether it had scripts, which do not run here."""

    @property
    def weight(self) -> int:
        """Bytes it takes in the page around it."""
        return len(escape(self.document).encode())


def frame(content: bytes) -> Frame | str:
    """The frame's document, or why there is none."""
    if len(content) > MAX_HTML:
        return "a page too large to show here"
    text = content.decode("utf-8-sig", "replace").replace("\x00", "\ufffd")
    scripts = "<script" in text.lower()
    clean = nh3.clean(
        text, tags=set(_TAGS.split()), clean_content_tags={"script", "noscript", "template", "title"}, attributes=_ATTRIBUTES,
        url_schemes={"data"}, link_rel=None, strip_comments=True,
    )  # fmt: skip
    clean = _STYLE.sub(lambda style: "" if _REACHES_OUT.search(style[1]) else style[0], clean)
    if not _TEXT.sub("", clean) and "<img" not in clean:
        return "a page that its scripts would fill, which do not run here" if scripts else "an empty page"
    styles = (_BASE_CSS, *dict.fromkeys(_STYLE.findall(clean)[:_MAX_STYLES]))
    hashes = tuple(style_hash(css) for css in styles)
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(hashes)}">'
        f'<meta name="referrer" content="no-referrer"><style>{_BASE_CSS}</style></head><body>{clean}</body></html>'
    )
    return Frame(document, hashes, scripts)


def style_hash(css: str) -> str:
    """As a policy names a style sheet that may apply."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()}'"


def policy(styles: tuple[str, ...]) -> str:
    """Nothing loads, nothing runs, nothing is sent; these style sheets apply, and pictures inside the file show."""
    return f"default-src 'none'; style-src {' '.join(styles)}; img-src data:; base-uri 'none'; form-action 'none'"
