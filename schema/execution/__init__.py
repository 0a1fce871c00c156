"""Executing GraphQL: parse and validation cache, limits, the quick way for lists, masked errors. Knows no transport."""

from schema.execution.coalescing import CoalescedResponses
from schema.execution.documents import Operation, RequestRejected
from schema.execution.engine import Engine, is_subscription
from schema.execution.errors import Facts
from schema.execution.limits import Limits
from schema.execution.messages import Execution, GraphQLResponse, Request
from schema.execution.parts import Part

__all__ = [
    "CoalescedResponses",
    "Engine",
    "Execution",
    "Facts",
    "GraphQLResponse",
    "Limits",
    "Operation",
    "Part",
    "Request",
    "RequestRejected",
    "is_subscription",
]
