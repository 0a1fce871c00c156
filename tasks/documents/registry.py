"""The formats that there are: each module below `tasks.documents.formats` that declares `FORMAT`, by its name.

The graph's enum, the command line's choices and `capabilities` are made from this.
"""

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from tasks.documents import formats
from tasks.documents.format import Format


def _declared() -> list[Format[Any]]:
    found = walk_packages(formats.__path__, prefix=f"{formats.__name__}.")
    return [import_module(module.name).FORMAT for module in found if not module.ispkg]


FORMATS: dict[str, Format[Any]] = {
    format_.name: format_ for format_ in sorted(_declared(), key=lambda format_: format_.name)
}
"""By the name that clients ask for, in its order."""
