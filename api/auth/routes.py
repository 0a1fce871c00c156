"""The ways to sign in: their routes, and the finder of viewers that all transports share."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from api.auth.backchannel import BackchannelLogout
from api.auth.bearers import Bearers
from api.auth.credentials import Credentials
from api.auth.device_page import DevicePage
from api.auth.providers import Provider
from api.auth.signin import Browsers
from api.auth.standings import Standings
from api.auth.token_endpoint import TokenEndpoint
from api.http.settings import AuthSettings
from db.store.session import Database
from schema.base.rates import Rates


class SignIn:
    """The parts, put together once."""

    def __init__(
        self,
        db: Database,
        standings: Standings,
        rates: Rates,
        auth: AuthSettings,
        *,
        token: str,
        keys: Sequence[bytes],
        url: str,
    ) -> None:
        providers = [Provider(settings) for settings in auth.oidc]
        browsers = Browsers(db, providers, keys, public_url=url, hours=auth.session_hours)
        bearers = Bearers(db, providers)
        self.credentials = Credentials(
            db, standings, token, others=[bearers.find] if providers else [], session=browsers.session
        )
        token_endpoint = TokenEndpoint(db, rates, url)
        devices = DevicePage(db, rates, self.credentials, providers)
        by_name = {provider.settings.name: provider for provider in providers}
        self.routes: list[BaseRoute] = [
            *token_endpoint.routes,
            Route("/device", devices.show),
            Route("/device", devices.decide, methods=["POST"]),
            Route("/auth", browsers.providers),
            Route("/auth/logout", browsers.logout, methods=["POST"]),
            Route("/auth/{provider}/login", browsers.login),
            Route("/auth/{provider}/callback", browsers.callback),
            Route("/auth/{provider}/backchannel", BackchannelLogout(db, by_name).post, methods=["POST"]),
        ]
