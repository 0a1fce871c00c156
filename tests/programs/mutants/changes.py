"""Small changes to functions, each of which should be noticed: another comparison, a condition turned round, …"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "True": "False"}
UNSEEN = ("log", "_log", "logger", "warnings")
"""What is told to the log is for people; tests need not pin it."""


NOT_ENTERED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Raise, ast.Assert, ast.JoinedStr)


class Change(NamedTuple):
    """This stretch of the source (offsets in characters) becomes that text."""

    start: int
    end: int
    text: str
    line: int
    what: str


def changes(source: str) -> Iterator[Change]:
    """Yield every change to the bodies of the functions in a module."""
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))

    def place(node: ast.expr | ast.stmt) -> tuple[int, int]:
        lines = source.splitlines(keepends=True)

        def offset(line: int, column: int) -> int:  # columns are bytes of UTF-8
            return offsets[line - 1] + len(lines[line - 1].encode()[:column].decode())

        return offset(node.lineno, node.col_offset), offset(node.end_lineno or 0, node.end_col_offset or 0)

    for node in _bodies(ast.parse(source)):
        for new in _instead(node):
            yield Change(*place(node), new, node.lineno, f"{ast.unparse(node).splitlines()[0][:60]} → {new[:60]}")


def _bodies(tree: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    """Yield what is in the bodies of functions: no defaults, annotations, descriptions, messages, lines for the log."""
    todo: list[ast.AST] = [
        statement
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in function.body
    ]
    seen: set[ast.AST] = set()
    while todo:
        node = todo.pop()
        if node in seen or isinstance(node, NOT_ENTERED):
            continue
        seen.add(node)
        if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _is_unseen(node.value)):
            continue
        if isinstance(node, ast.AnnAssign):
            todo += [node.value] if node.value else []
            continue
        if isinstance(node, ast.expr | ast.stmt):
            yield node
        todo += ast.iter_child_nodes(node)


def _is_unseen(call: ast.expr) -> bool:
    if isinstance(call, ast.Await):
        call = call.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return isinstance(call.func.value, ast.Name) and call.func.value.id in UNSEEN


def _instead(node: ast.AST) -> Iterator[str]:  # noqa: C901, PLR0912  # a table
    """Yield what could stand in a node's place."""
    match node:
        case ast.Compare(ops=[op], left=left, comparators=right) if type(op) in COMPARISONS:
            yield _text(ast.Compare(left, [COMPARISONS[type(op)]()], right))
        case ast.BoolOp(op=ast.And(), values=values):
            yield _text(ast.BoolOp(ast.Or(), values))
        case ast.BoolOp(op=ast.Or(), values=values):
            yield _text(ast.BoolOp(ast.And(), values))
        case ast.BinOp(op=op, left=left, right=other) if type(op) in OPERATORS:
            yield _text(ast.BinOp(left, OPERATORS[type(op)](), other))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _text(operand)
        case ast.IfExp(test=test, body=body, orelse=other):
            yield _text(ast.IfExp(ast.UnaryOp(ast.Not(), test), body, other))
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield str(value + 1)
        case ast.Name(id=name) if name in NAMES and isinstance(node.ctx, ast.Load):
            yield NAMES[name]
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "return None"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign():
            yield "pass"
        case ast.Break():
            yield "continue"
        case ast.Continue():
            yield "break"


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(ast.fix_missing_locations(node))})"
