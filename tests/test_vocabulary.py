"""The words of the field: the private ones that this code once spoke do not come back. The README has a glossary."""

import ast
import inspect
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import schema

ROOT = Path(__file__).parent.parent
ROOMS = ("api", "schema", "tasks", "db")
SOURCES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py") if "versions" not in file.parts)

# Anywhere, also as a part of a longer name.
NOWHERE = {
    "doorbell": "notifier",
    "voiceprint": "speaker embedding",
    "nudge": "wake-up",
    "errand": "task type",
    "weave": "reconstruct",
    "tidings": "notification",
    "io_queue": "background",
}
# As the name of a class or a function: ordinary words that stood for something of the field's.
AS_NAMES = {
    "News": "Notification", "announce": "notify_on_commit", "ring": "notify", "_ring": "_notify",
    "_ring_again": "_renotify", "hurry": "force_stop", "Script": "Transaction", "Ask": "Execute",
    "Scripts": "TransactionRunner",
    "Tails": "Broadcaster", "Tail": "EventBuffer", "Feed": "SubscriptionStream", "_Ear": "_Mailbox", "Tick": "Signal",
    "Woken": "Wake", "WOKEN": "WAKE", "_woken": "wake", "Wish": "StopReason", "Watch": "LeaseKeeper",
    "endings": "outcomes", "_Office": "WorkerService", "Move": "Transition", "move_unheld": "force_transition",
    "Ruler": "CostVisitor", "Unusual": "NotVectorizable", "SharedAnswers": "CoalescedResponses",
    "appended": "append_tx",
    "numbered": "number_tx", "recorded": "record_tx", "reword": "edit", "divide": "split", "unite": "merge",
    "voices": "detect_speech", "heard": "vad_chunks", "who": "assign_words", "judge": "a hallucination filter",
}  # fmt: skip
IN_SCHEMA = {"Refused": "RequestRejected", "Answer": "GraphQLResponse", "Call": "Execution"}
IN_TASKS = {
    "Kept": "Checkpoint", "Go": "Ack", "Awaited": "needs_ack", "Left": "StopRequested", "Heard": "TurnIndex",
    "Passage": "AlignmentSpan", "Place": "WordSpan", "Spoken": "DecodingResult", "Draft": "TranscriptBuilder",
}  # fmt: skip
# As the name of a variable or a parameter.
AS_VARIABLES = {
    "voices": "speakers, or detected speech",
    "news": "notifications",
    "tails": "broadcaster",
    "bell": "notifier",
}
# In descriptions and comments: figures of speech for what has a name.
IN_PROSE = {
    r"\bbells?\b": "notifier", r"\brung\b|\brings\b": "notified", r"\bthe wish\b|\bwishes\b|\bwish to\b": "request",
    r"\bnews\b": "notification", r"\btails\b": "broadcaster", r"\bvoices\b": "speakers, or speech",
}  # fmt: skip

# A sentence begins with its subject or its verb, and says what a thing is instead of asking it.
ASKING = re.compile(
    r"(?:\A|[.!?]\s+|\n\n)\s*((?:Whether|Where|What|Who|Whose|When|How|Which|Why|Whoever|Whatever)\b[^.]*)"
)


def names(file: Path) -> Iterator[tuple[int, str, str]]:
    """Yield the private names that a module gives, each with its line and the field's word."""
    defined = AS_NAMES | {"schema": IN_SCHEMA, "tasks": IN_TASKS}.get(file.relative_to(ROOT).parts[0], {})
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                known = defined
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                known = AS_VARIABLES
            case _:
                continue
        if name in known:
            yield node.lineno, name, known[name]


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """Yield what is written for people: strings with a blank in them, and comments. Code in backticks is left out."""
    with file.open("rb") as opened:
        for token in tokenize.tokenize(opened.readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
                yield token.start[0], re.sub(r"`[^`]*`", "", token.string)


def private_words(file: Path) -> Iterator[str]:
    """Yield each private word of a file, with its place and the word to say instead."""
    source = file.read_text()
    place = file.relative_to(ROOT)
    for line, text in enumerate(source.splitlines(), 1):
        yield from (f"{place}:{line} {word} → {known}" for word, known in NOWHERE.items() if word in text.lower())
    yield from (f"{place}:{line} {name} → {known}" for line, name, known in names(file))
    for line, text in prose(file):
        hits = ((re.search(pattern, text, re.IGNORECASE), known) for pattern, known in IN_PROSE.items())
        yield from (f"{place}:{line} {hit[0]} → {known}" for hit, known in hits if hit)


def test_the_code_speaks_the_words_of_the_field() -> None:
    found = [word for file in SOURCES for word in private_words(file)]
    assert not found, "\n".join(found)


def test_descriptions_begin_with_a_verb_or_a_noun() -> None:
    strings = (
        (file, node)
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno} {hit}"
        for file, node in strings
        for hit in ASKING.findall(re.sub(r"(?m)^    .*$", "", inspect.cleandoc(str(ast.literal_eval(node.value)))))
    ]
    found += ASKING.findall("\n\n".join(re.findall(r'"""\n?(.*?)"""', schema.sdl(), re.DOTALL)))
    assert not found, "\n".join(found)


def test_no_file_is_called_by_a_private_word() -> None:
    private = {*NOWHERE, "news", "scripts", "tails", "feeds", "endings", "watch", "edge", "sharing", "voiceprints"}
    assert [str(file.relative_to(ROOT)) for file in SOURCES if file.stem in private] == []
