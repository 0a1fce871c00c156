"""How long the event loop stands still for hostile queries of 1 KB: at most 50 ms each.

python -m tests.programs.bench.worst_queries [bytes]
"""

import asyncio
import sys
import time

from schema.execution import Engine, Execution, Limits, Request, RequestRejected
from tests.schema.hostile import INVALID, TOO_COMPLEX, fitted
from tests.toy import SCHEMA, Context, Viewer

ALLOWED_MS = 50.0
VALID = {"a chain of fragments": "{...a0}" + "".join(f"fragment a{i} on Query{{...a{i + 1}}}" for i in range(26))}
VALID["a chain of fragments"] += "fragment a26 on Query{cost}"
VALID["comments"] = "#\n" * 500 + "{cost}"


async def stands_still(query: str) -> tuple[float, str]:
    """Milliseconds from the text to the refusal (or to the answer), best of three without what is remembered."""
    best, verdict = float("inf"), ""
    for _ in range(3):
        engine = Engine(SCHEMA, Limits())
        request = Request(query)
        start = time.perf_counter()
        try:
            operation = engine.operation(request)
            await engine.execute(Execution(operation, request, lambda: Context(Viewer("x"), "c"), "c"))
            verdict = "answered"
        except RequestRejected as refused:
            answer = engine.refusal(refused, "c")
            verdict = str((answer.errors or [{}])[0]["extensions"]["code"])
        best = min(best, (time.perf_counter() - start) * 1000)
    return best, verdict


async def main() -> int:
    """Prints the worst first; 1 when one takes too long."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1_024
    queries = {name: fitted(make, size) for name, make in (TOO_COMPLEX | INVALID).items()} | VALID
    found = [(*(await stands_still(query)), name, len(query)) for name, query in queries.items()]
    for milliseconds, verdict, name, length in sorted(found, reverse=True):
        print(f"{milliseconds:8.1f} ms  {length:6} bytes  {verdict:18} {name}")
    return 0 if max(found)[0] < ALLOWED_MS * max(1, size / 1_024) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
