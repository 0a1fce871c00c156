"""Queries that are small to send and large to check or to run, fitted to a size in bytes."""

from collections.abc import Callable


def many(part: str, around: str = "{%s}") -> Callable[[int], str]:
    return lambda n: around % (part * n)


def numbered(part: str, around: str = "{%s}") -> Callable[[int], str]:
    return lambda n: around % " ".join(part.replace("#", str(i)) for i in range(n))


def fragments(part: str, last: str = "cost") -> Callable[[int], str]:
    """A chain: each fragment holds `part`, in which `#` is the next one."""

    def query(n: int) -> str:
        chain = "".join(f"fragment a{i} on Query{{{part.replace('#', f'a{i + 1}')}}}" for i in range(n))
        return f"{{...a0}}{chain}fragment a{n} on Query{{{last}}}"

    return query


def mesh(n: int) -> str:
    """Every fragment spreads all the others."""
    spreads = "".join(f"...f{j} " for j in range(n))
    return "{...f0}" + "".join(f"fragment f{i} on Query{{{spreads}cost}}" for i in range(n))


TOO_COMPLEX: dict[str, Callable[[int], str]] = {
    "one leaf again and again": many("cost "),
    "one leaf again and again, below": many("cost ", "{me{%s}}"),
    "one object again and again": many("me{cost}"),
    "overlapping fields, below": many("me{cost}", "{me{%s}}"),
    "overlapping lists, below": many("mes{cost}", "{me{%s}}"),
    "aliases": numbered("a#:cost"),
    "aliases, below": numbered("a#:cost", "{me{%s}}"),
    "aliases of lists": numbered("a#:words{text}"),
    "inline fragments": many("...{cost}"),
    "depth": lambda n: "{" + "me{" * n + "cost" + "}" * n + "}",
    "inline fragments in inline fragments": lambda n: "{" + "...{" * n + "cost" + "}" * n + "}",
    "lists in lists": lambda n: "{" + "mes(first:100){" * n + "cost" + "}" * n + "}",
    "fragments that double": fragments("me{...#}x:me{...#}"),
    "fragments that double in place": fragments("...# ...#"),
    "fragments that double below": fragments("me{...# ...#}"),
    "different arguments": numbered('hello(name:"#")'),
    "directives in one place": many("@a", "{cost %s}"),
    "directives everywhere": many("cost@skip(if:true)"),
    "lists as a value": lambda n: "{hello(name:" + "[" * n + "]" * n + ")}",
    "introspection in introspection": lambda n: "{__schema{types{" + "fields{type{" * n + "name" + "}}" * n + "}}}",
    "introspection again and again": many("types{name fields{name}}", "{__schema{%s}}"),
    "introspection under aliases": numbered("a#:__schema{types{fields{name}}}"),
}
INVALID: dict[str, Callable[[int], str]] = {
    "a mesh of fragments": mesh,
    "operations": numbered("query q#{cost}", "%s"),
    "operations with a fragment": numbered("query q#{...f}", "fragment f on Query{me{cost cost cost}} %s"),
    "operations with variables": numbered("query q#($a:String){...f}", "fragment f on Query{hello(name:$a)} %s"),
    "unused variables": numbered("$a#:Int", "query(%s){cost}"),
    "unknown fields": numbered("w#", "{me{%s}}"),
    "unknown arguments": numbered("a#:1", "{hello(%s)}"),
    "one argument again and again": many("a:1 ", "{hello(%s)}"),
    "objects as a value": numbered("a#:1", "{hello(name:{%s})}"),
    "braces": many("{", "%s"),
    "unused fragments": numbered("fragment f# on Query{cost}", "{cost}%s"),
}


def fitted(make: Callable[[int], str], size: int) -> str:
    """The largest query of its kind that fits."""
    count = 2
    while len(make(count + 1)) <= size:
        count += 1
    return make(count)
