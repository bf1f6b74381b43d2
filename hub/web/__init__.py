"""What the hub shows and takes over HTTP: webhooks, the login and the console. The only part that knows Flask."""

from hub.web.app import create_app, create_connecting_app
from hub.web.sessions import make_login_link

__all__ = ["create_app", "create_connecting_app", "make_login_link"]
