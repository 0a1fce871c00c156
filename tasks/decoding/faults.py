"""The faults for which a recording is refused."""

from typing import NoReturn

from db.domain.values import ErrorCode, Problem, Stage


class InputFault(Exception):
    """The recording's own fault (not audio, cut short, too long): trying again will not help."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refuse(message: str, remedy: str, code: ErrorCode = ErrorCode.UNSUPPORTED_MEDIA) -> NoReturn:
    """Raise the input's own fault: trying again would not help."""
    raise InputFault(Problem(code=code, message=message, stage=Stage.DECODE, remedy=remedy))
