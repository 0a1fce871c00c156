"""The addresses to which this server may connect when somebody else names them: public ones, and those of the operator.

An address is judged as the number to which the connection is made, so that spellings (decimal, octal, hexadecimal,
short), names that point inside and answers of the name server that change make no difference.
"""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from tasks.system.outbound.errors import AddressRefused, Unreachable

Address = IPv4Address | IPv6Address

MOST_URL_CHARS = 4096
_SYSTEM_PORTS = 1024
_WEB_PORTS = frozenset({80, 443})

_DENIED = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's own server for its machines
        "100.100.100.200/32",  # Alibaba's metadata, in the range of carriers
        "192.0.0.0/24",  # protocol assignments: some count as global; Oracle's metadata is in here
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # translated to the IPv4 address in its last 32 bits


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet. An IPv4 address inside an IPv6 one counts itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(address.packed[-4:]))
        if address.scope_id is not None or address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _DENIED)


@dataclass(frozen=True, slots=True)
class Destinations:
    """The rule: public addresses at the ports of the web or above 1023, and the private ones that the operator named,
    as networks or host names.
    """

    networks: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Destinations":
        """Return the rule with the networks and host names in a text, separated by commas. Raises ValueError."""
        networks, hosts = [], set()
        for part in filter(None, (part.strip().lower() for part in text.split(","))):
            if part[0].isdigit() or ":" in part or "/" in part:
                networks.append(str(ip_network(part)))
            elif part.replace("-", "").replace(".", "").replace("_", "").isalnum():
                hosts.add(part.rstrip("."))
            else:
                raise ValueError(f"`{part}` is neither a network nor a host name")
        return cls(tuple(networks), frozenset(hosts))

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, all of them allowed. Raises AddressRefused and Unreachable."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"The host {host} cannot be found.") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._check(host, ip_address(address), port)
        return addresses

    def _check(self, host: str, address: Address, port: int) -> None:
        if host.lower().rstrip(".") in self.hosts:
            return
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in ip_network(network) for network in self.networks):
            return
        if not is_public(address):
            raise AddressRefused(f"The address of {host} is not a public one.")
        if port < _SYSTEM_PORTS and port not in _WEB_PORTS:
            raise AddressRefused(f"The port {port} is not one of the web.")
