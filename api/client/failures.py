"""The failures of the command line, and the exit codes by which a script can tell them apart.

Failure                 1  something unexpected
  (usage)               2  the command line was not understood
  Unreachable           3  no server there, or it does not let us in
  BadInput              4  the recording or an option is at fault: trying again will not help
  JobFailed             5  the server could not do it
  Canceled              6  the job was cancelled, here by Ctrl-C or elsewhere
"""

from typing import Any, ClassVar

from db.domain.values import ErrorCode


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: a server or a file's name may hold any character."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


class Failure(Exception):
    """The message says what happened and, where there is one, the remedy."""

    exit_code: ClassVar[int] = 1
    code = "INTERNAL"
    """The API's code, where the API said so."""
    retry_after: float | None = None
    """Seconds after which the same may succeed."""

    def __str__(self) -> str:
        return printable(super().__str__())


class Unreachable(Failure):
    """No server answers, or it does not let us in."""

    exit_code = 3


class BadInput(Failure):
    """The recording's or an option's own fault."""

    exit_code = 4


class JobFailed(Failure):
    """The server took the job, but could not do it."""

    exit_code = 5


class Canceled(Failure):
    """The job was cancelled."""

    exit_code = 6


_BY_EXIT_CODE = {kind.exit_code: kind for kind in (Unreachable, BadInput, JobFailed, Canceled)}
_BY_CODE = {code.value: _BY_EXIT_CODE[code.exit_code] for code in ErrorCode}


def failure_of(error: dict[str, Any]) -> Failure:
    """Return an error or a problem, as the API tells it, as an exception."""
    code = error.get("code", "INTERNAL")
    remedy = error.get("remedy") or (error.get("details") or {}).get("remedy")
    remedy = f" {remedy}" if remedy else ""
    reference = f" (correlation id {error['correlationId']})" if error.get("correlationId") else ""
    kind = _BY_CODE.get(code, JobFailed)  # a newer server has codes that are not known here
    failure = kind(f"{error.get('message', code)}{remedy} [{code}]{reference}")
    failure.code, failure.retry_after = code, error.get("retryAfterSeconds")
    return failure
