"""The client for messages to receivers: it connects to public addresses only, and follows no redirect."""

from dataclasses import replace
from ipaddress import ip_network

import httpx
from ssrfguard import DEFAULT_DENIED, AddressTable, Policy
from ssrfguard.httpx import AsyncClient

_AZURE = ip_network("168.63.129.16/32")
"""Azure's own server for its machines, at a public address."""

_ANY_PORT = frozenset(range(1, 65_536))
_HEADERS = {"user-agent": "Graphophone", "accept": "*/*", "accept-encoding": "identity"}


def open_client(allowed_networks: str) -> httpx.AsyncClient:
    """Open a client. It also goes to these networks, separated by commas, which are not public."""
    networks = tuple(ip_network(part.strip()) for part in allowed_networks.split(",") if part.strip())
    blocks = DEFAULT_DENIED.blocks
    denied = AddressTable((*blocks, replace(blocks[0], network=_AZURE)), snapshot=DEFAULT_DENIED.snapshot)
    policy = Policy(denied_networks=denied, allowed_networks=networks, allowed_ports=_ANY_PORT)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
    return AsyncClient(
        policy=policy, trust_env=False, follow_redirects=False, headers=_HEADERS, limits=limits, timeout=None
    )
