"""The ways in which a request to somebody else's server fails; the texts name no header and no query."""


class OutboundError(Exception):
    """The base. `passing`: the same request may succeed later."""

    passing = False


class AddressRefused(OutboundError):
    """An address to which this server does not connect."""


class TooManyRedirects(OutboundError):
    """The other server sends from one address to the next."""


class TooLarge(OutboundError):
    """The answer has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer has more than {limit} bytes.")
        self.limit = limit


class Unreachable(OutboundError):
    """The other server cannot be found, does not speak HTTP, or broke off."""

    passing = True


class TooSlow(Unreachable):
    """The other server did not answer in time."""
