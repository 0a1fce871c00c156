"""Executing GraphQL: parse and validation cache, limits, the quick way for lists, masked errors. Knows no transport."""

from schema.execution.documents import Operation, Refused
from schema.execution.engine import Engine, is_subscription
from schema.execution.limits import Limits
from schema.execution.messages import Answer, Call, Request
from schema.execution.parts import Part
from schema.execution.sharing import SharedAnswers

__all__ = [
    "Answer",
    "Call",
    "Engine",
    "Limits",
    "Operation",
    "Part",
    "Refused",
    "Request",
    "SharedAnswers",
    "is_subscription",
]
