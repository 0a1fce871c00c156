"""Requests to servers that somebody else names: one client, which connects to public addresses only."""

from tasks.system.outbound.client import OutboundClient, body, check_url, chunks
from tasks.system.outbound.destination import Destinations, is_public
from tasks.system.outbound.errors import (
    AddressRefused,
    OutboundError,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    Unreachable,
)

__all__ = [
    "AddressRefused",
    "Destinations",
    "OutboundClient",
    "OutboundError",
    "TooLarge",
    "TooManyRedirects",
    "TooSlow",
    "Unreachable",
    "body",
    "check_url",
    "chunks",
    "is_public",
]
