"""Queries as text become documents: parsed, measured and validated once, then remembered."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ASTValidationRule,
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule
from graphql.validation.rules.max_introspection_depth_rule import MAX_LIST_DEPTH
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.execution.bounds import Bound
from schema.execution.complexity import Cost, CostVisitor, TooComplex
from schema.execution.errors import Code
from schema.execution.limits import Limits

DIRECTIVES_IN_ONE_PLACE = 4
IN_PARTS = frozenset({"defer", "stream"})
TOO_LARGE, TOO_NESTED = "Document contains more than", "Document is nested too deeply"
TOO_DEEP_INTROSPECTION = "Maximum introspection depth exceeded"
"""graphql-core's messages for documents beyond its bounds; pinned by a test."""


class RequestRejected(Exception):
    """A request that will not be executed: the errors say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True)
class Operation:
    """One operation of a valid document that keeps the limits, with its cost for the given variables."""

    source: str
    document: DocumentNode
    node: OperationDefinitionNode
    cost: int
    introspection: bool = False
    in_parts: bool = False
    """True if the document holds `@defer` or `@stream`."""
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    """The number of values that the lists in variables may have, by the variables' names."""

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation


@dataclass(frozen=True)
class Checked:
    """A document, or the reasons against it."""

    document: DocumentNode | None
    operations: tuple[tuple[OperationDefinitionNode, Cost], ...] = ()
    errors: tuple[GraphQLError, ...] = ()
    in_parts: bool = False
    bounds: Mapping[str, Bound] = field(default_factory=dict)


class Documents:
    """Parses, measures and validates each text once while it is remembered. Rules are built here, never per request."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self.schema = schema
        self.limits = limits
        self.rules = validation_rules(limits)
        self.remembered: OrderedDict[str, Checked] = OrderedDict()
        self.characters = 0

    def operation(self, source: str, name: str | None, variables: Mapping[str, Any] | None) -> Operation:
        """Return the operation to execute; raises `RequestRejected`."""
        checked = self.remembered.get(source)
        if checked is None:
            checked = self._check(source)
            self._remember(source, checked)
        else:
            self.remembered.move_to_end(source)
        if checked.document is None:
            raise RequestRejected(list(checked.errors))
        node, cost = self._choose(checked, name)
        points = cost.points
        if cost.variable:
            try:
                points = CostVisitor(self.schema, checked.document, self.limits, variables).measure(node).points
            except TooComplex as refusal:
                raise RequestRejected([too_complex(refusal)]) from None
        return Operation(source, checked.document, node, points, cost.introspection, checked.in_parts, checked.bounds)

    @staticmethod
    def _choose(checked: Checked, name: str | None) -> tuple[OperationDefinitionNode, Cost]:
        if name is None:
            if len(checked.operations) == 1:
                return checked.operations[0]
            raise RequestRejected([GraphQLError("Must provide operation name if query contains multiple operations.")])
        for node, cost in checked.operations:
            if node.name and node.name.value == name:
                return node, cost
        raise RequestRejected([GraphQLError(f"Unknown operation named '{name[:100]}'.")])

    def _check(self, source: str) -> Checked:
        try:
            if len(source) > self.limits.characters:
                raise TooComplex("characters", len(source), self.limits.characters)
            tokens = self.limits.tokens
            document = parse(source, max_lexical_tokens=tokens, max_comments=tokens)
            if not any(isinstance(d, OperationDefinitionNode) for d in document.definitions):
                raise GraphQLError("The document holds no operation.")
            directives = directives_of(document, self.limits.directives)
            visitor = CostVisitor(self.schema, document, self.limits)
            operations = tuple(
                (node, visitor.measure(node))
                for node in document.definitions
                if isinstance(node, OperationDefinitionNode)
            )
        except TooComplex as refusal:
            return Checked(None, errors=(too_complex(refusal),))
        except RecursionError:
            return Checked(None, errors=(too_complex(TooComplex("nesting", len(source), self.limits.depth)),))
        except GraphQLError as error:
            return Checked(None, errors=(self._syntax_error(error, source),))
        errors = self._validate(document)
        in_parts = not directives.isdisjoint(IN_PARTS)
        return Checked(None if errors else document, operations, tuple(errors), in_parts, visitor.bounds)

    def _syntax_error(self, error: GraphQLError, source: str) -> GraphQLError:
        if TOO_LARGE in error.message:
            return too_complex(TooComplex("tokens", self.limits.tokens + 1, self.limits.tokens))
        if TOO_NESTED in error.message:
            return too_complex(TooComplex("nesting", len(source), self.limits.depth))
        return error

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        found = validate(self.schema, document, self.rules, max_errors=self.limits.errors, hide_suggestions=True)
        for error in found:
            if error.message == TOO_DEEP_INTROSPECTION:
                return [too_complex(TooComplex("lists in introspection", MAX_LIST_DEPTH, MAX_LIST_DEPTH - 1))]
            if "code" in (error.extensions or {}):
                return [error]
        return found

    def _remember(self, source: str, checked: Checked) -> None:
        if len(source) > self.limits.cached_characters // 4:
            return
        self.remembered[source] = checked
        self.characters += len(source)
        while self.characters > self.limits.cached_characters:
            forgotten, _ = self.remembered.popitem(last=False)
            self.characters -= len(forgotten)


def too_complex(refusal: TooComplex) -> GraphQLError:
    """Return the limit that was passed, as the error that the client sees."""
    extensions = {"code": Code.QUERY_TOO_COMPLEX.value, "details": refusal.details}
    return GraphQLError(str(refusal), extensions=extensions)


def directives_of(document: DocumentNode, limit: int) -> set[str]:
    """Return the names of a document's directives; refuse very many of them, in all or in one place."""
    count = 0
    names: set[str] = set()
    todo: list[Node] = list(document.definitions)
    while todo:
        node = todo.pop()
        directives: tuple[DirectiveNode, ...] = tuple(getattr(node, "directives", None) or ())
        count += len(directives)
        names.update(directive.name.value for directive in directives)
        if len(directives) > DIRECTIVES_IN_ONE_PLACE:
            raise TooComplex("directives in one place", len(directives), DIRECTIVES_IN_ONE_PLACE)
        if isinstance(selection := getattr(node, "selection_set", None), SelectionSetNode):
            todo.extend(selection.selections)
        todo.extend(getattr(node, "variable_definitions", None) or ())
    if count > limit:
        raise TooComplex("directives", count, limit)
    return names


def validation_rules(limits: Limits) -> tuple[type[ASTValidationRule], ...]:
    """Return the rules of the specification and Strawberry's, with bounded work for the one that is not linear."""

    class BoundedMergingRule(OverlappingFieldsCanBeMergedRule):
        """Fields of one response name can be merged; gives up with `QUERY_TOO_COMPLEX` beyond `limits.merging`."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = limits.merging

        def enter_selection_set(self, selection_set: SelectionSetNode, key: Any, parent: Any, *args: Any) -> None:
            try:
                super().enter_selection_set(selection_set, key, parent, *args)
            except ValidationAbortedError:
                if self.rule_context.remaining_complexity_budget < 0:
                    spent = limits.merging - self.rule_context.remaining_complexity_budget
                    self.context.report_error(too_complex(TooComplex("fields to merge", spent, limits.merging)))
                raise

    replaced = (BoundedMergingRule if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules)
    forbidden = () if limits.introspection else (NoSchemaIntrospectionCustomRule,)
    return (*replaced, MaxIntrospectionDepthRule, MaybeNullValidationRule, OneOfInputValidationRule, *forbidden)
