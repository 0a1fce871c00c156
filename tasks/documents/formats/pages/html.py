"""HTML: one accessible file with a player, and the text that follows what is heard.

It needs nothing else and runs nothing but its own script, which its Content-Security-Policy names by its hash. The
player takes the recording that lies beside the file under its own name, or one that is chosen by hand.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import language_tag
from tasks.documents.layout.turns import Paragraph, Section, clock, facts, sections
from tasks.documents.options import TextOptions

_STYLE = """
:root { color-scheme: light dark; --grey: #595959; --mark: #ffe9a8; }
@media (prefers-color-scheme: dark) { :root { --grey: #b0b0b0; --mark: #5c4a00; } }
body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem; }
header dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt, time { color: var(--grey); } dd { margin: 0; }
h2 { font-size: 1rem; color: var(--grey); border-bottom: 1px solid; margin-top: 2rem; }
h3 { font-size: 1.05rem; margin: 1.2rem 0 0; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
#player { position: sticky; top: 0; background: Canvas; padding: .5rem 0; }
audio { width: 100%; }
button { font: inherit; font-size: .85rem; color: var(--grey); background: none; border: 1px solid transparent;
  border-radius: .3rem; cursor: pointer; padding: 0 .3rem; min-height: 1.5rem; }
button:hover, button:focus-visible { border-color: currentColor; }
[aria-current] { background: var(--mark); }
@media print { #player { display: none; } h2, h3 { break-after: avoid; } }
"""
_SCRIPT = """
const audio = document.querySelector("audio"), parts = [...document.querySelectorAll("[data-start]")];
const starts = parts.map(part => Number(part.dataset.start));
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let current = null, address = null;
document.querySelector("input").addEventListener("change", event => {
  if (!event.target.files.length) return;
  if (address) URL.revokeObjectURL(address);
  audio.src = address = URL.createObjectURL(event.target.files[0]);
});
document.querySelector("main").addEventListener("click", event => {
  const part = event.target.closest("button, [data-start]");
  if (!part || String(getSelection())) return;
  audio.currentTime = Number(part.value || part.dataset.start);
  if (part.tagName === "BUTTON") audio.play().catch(() => document.querySelector("input").focus());
});
audio.addEventListener("timeupdate", () => {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= audio.currentTime + 0.05) low = middle + 1; else high = middle;
  }
  const next = low ? parts[low - 1] : null;
  if (next === current) return;
  current?.removeAttribute("aria-current");
  current = next;
  if (!current) return;
  current.setAttribute("aria-current", "true");
  if (!audio.paused) current.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
});
"""


def write(document: Document, options: TextOptions) -> bytes:
    """Return UTF-8; directions are found by the browser, paragraph by paragraph."""
    title = escape(document.title or "Transcript")
    source = f' src="{escape(quote(document.filename, safe=""))}"' if document.filename else ""
    policy = (
        f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    known = facts(document, speakers=options.speaker_labels)
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in known)
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f'<style>{_STYLE}</style>\n</head>\n<body>\n<header>\n<h1 dir="auto">{title}</h1>\n<dl>{rows}</dl>\n</header>\n'
        f'<section id="player" aria-label="Player">\n<audio controls preload="metadata"{source}></audio>\n'
        f'<label>Recording: <input type="file" accept="audio/*,video/*"></label>\n</section>\n'
        f'<main lang="{escape(language_tag(document.language))}">\n'
    )
    parts = [_section(number, section, options) for number, section in enumerate(sections(document), 1)]
    tail = f"</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    return "".join([head, *parts, tail]).encode()


def _section(number: int, section: Section, options: TextOptions) -> str:
    lines = [f'<section aria-labelledby="s{number}">\n<h2 id="s{number}" lang="en">{escape(section.title)}</h2>\n']
    for turn in section.turns:
        if options.speaker_labels and turn.speaker:
            lines.append(f'<h3 dir="auto">{escape(turn.speaker)}</h3>\n')
        lines += [_paragraph(paragraph, options) for paragraph in turn.paragraphs]
    lines.append("</section>\n")
    return "".join(lines)


def _paragraph(paragraph: Paragraph, options: TextOptions) -> str:
    at = clock(paragraph.start)
    time = (
        f'<button type="button" value="{paragraph.start:.3f}" aria-label="Play from {at}">{at}</button> '
        if options.timestamps
        else ""
    )
    text = " ".join(
        f'<span data-start="{segment.start:.3f}">{escape(segment.text, quote=False)}</span>'
        for segment in paragraph.segments
    )
    return f'<p dir="auto">{time}{text}</p>\n'


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


FORMAT = Format(
    name="HTML",
    description="One accessible file with a player, and the text that follows what is heard.",
    media_type="text/html; charset=utf-8",
    extension="html",
    options=TextOptions,
    write=write,
)
