"""Fetch the file behind an attachment, from public addresses only."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import requests
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from hub.sdk import HttpSession, Media, Refused, TemporaryFailure, failure_of_transport

CHUNK = 64 * 1024


class MediaFetcher:
    """What a toolbox hands out as ``fetch_media``. A customer chooses the address, so names are resolved once, the
    connection goes to that very address, and private ones are refused (SSRF). Behind a proxy the proxy decides.
    """

    def __init__(self, *, user_agent: str, proxy: str = "", ca_file: str = "", from_this_machine: bool = False) -> None:
        self._http = HttpSession(user_agent=user_agent, proxy=proxy, ca_file=ca_file)
        self._http.max_redirects = 3
        if not proxy:
            for scheme, https in (("https://", True), ("http://", False)):
                self._http.mount(scheme, IPFilterAdapter(is_https_proto=https, allow_loopback=from_this_machine))

    def __call__(self, url: str, *, max_bytes: int) -> Media:
        """See :class:`hub.sdk.FetchesMedia`."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise Refused("the attachment has no web address")
        try:
            with self._http.get(url, stream=True) as response:
                return _read(response, url, max_bytes)
        except InvalidIPAddress as error:
            raise Refused("the attachment is not at a public address") from error
        except (requests.exceptions.InvalidURL, requests.TooManyRedirects) as error:
            raise Refused("the attachment's address does not work") from error
        except requests.RequestException as error:
            raise failure_of_transport(error, effect_possible=False) from error


def _read(response: requests.Response, url: str, max_bytes: int) -> Media:
    if response.status_code == 429 or response.status_code >= 500:
        raise TemporaryFailure(f"the attachment cannot be had now ({response.status_code})")
    if response.status_code != 200:
        raise Refused(f"the attachment is gone ({response.status_code})")
    content = bytearray()
    for chunk in response.iter_content(CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise Refused(f"the attachment is larger than {max_bytes} bytes")
    mime_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Media(bytes(content), mime_type, unquote(PurePosixPath(urlsplit(url).path).name))
