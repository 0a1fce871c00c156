"""The ways in which a request to somebody else's server fails; the texts name no header and no query."""


class OutboundError(Exception):
    """The base."""


class AddressRefused(OutboundError):
    """An address to which this server does not connect."""


class Unreachable(OutboundError):
    """The other server cannot be found, does not speak HTTP, or broke off."""


class TooSlow(Unreachable):
    """The other server did not answer in time."""
