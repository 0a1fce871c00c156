"""Things with a global id."""

import re
from typing import ClassVar

import strawberry

from schema.base.fields import field

_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z._-]{1,80}")


@strawberry.interface(description="Something that can be read again by its id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = field("Opaque, global and stable.")


class StandIn:
    """A type of the graph for which objects of another class stand at run time; its fields are read off those."""

    stands_for: ClassVar[type]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Tell whether this object is shown as this type."""
        return isinstance(value, cls.stands_for)


def known(id_: str, prefix: str) -> bool:
    """Tell whether this can be the id of such a thing at all; keeps hostile strings away from the database."""
    return id_.startswith(prefix + "_") and _ID.fullmatch(id_) is not None
