"""The metrics that Prometheus scrapes."""

from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import HttpProblem
from db.domain.values import ErrorCode
from tasks.telemetry import metrics


async def show_metrics(request: Request) -> Response:
    """Answer a scrape; 404 with the remedy where metrics are off."""
    shown = metrics.exposition()
    if shown is None:
        message = "Metrics are off. Start the server with OTEL_METRICS_EXPORTER=prometheus."
        return HttpProblem(404, ErrorCode.NOT_FOUND, message).response(request.scope["correlation_id"])
    return Response(shown[0], media_type=shown[1])
