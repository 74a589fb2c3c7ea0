"""HTTP and HTTPS for downloads, and network errors in plain language."""

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import BadStatusLine, HTTPException, HTTPMessage, IncompleteRead
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import format_seconds, safe_text

_BUSY = {408, 425, 429}  # beside all of 5xx: the same request may succeed later


class NetworkError(Exception):
    """An error between here and the server.

    Attributes:
        cause: The original exception.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def network_errors() -> Iterator[None]:
    """Turn the errors of the network into NetworkError.

    They are OSErrors like those of the disk and of a closed terminal, and must not be mixed up.
    """
    try:
        yield
    except HTTPError as error:
        error.close()
        raise NetworkError(error) from error
    except URLError as error:
        cause = error.reason if isinstance(error.reason, Exception) else error
        raise NetworkError(cause) from error
    except (OSError, HTTPException) as error:
        raise NetworkError(error) from error


def check_url(url: str) -> None:
    """Check that `url` is an http or https address with a host.

    Raises:
        UserError: It is not.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise UserError(
            tr("{url} is not a web address (http://... or https://...).", url=safe_text(url, 2000))
        )


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            return None  # then the redirect itself is raised as an HTTPError
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def web_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http, https and the proxies of the environment, nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _WebRedirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def is_transient(cause: Exception, *, answered: bool) -> bool:
    """Return whether a retry makes sense.

    Args:
        cause: Of a NetworkError.
        answered: Whether the server has answered before. One that was never reached is not
            tried again: without internet that would only cost time.
    """
    if isinstance(cause, HTTPError):
        return cause.code >= 500 or cause.code in _BUSY
    if isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return answered or isinstance(cause, ConnectionResetError | BadStatusLine | IncompleteRead)


def describe_error(cause: Exception, url: str, timeout: float) -> str:
    """Return the cause of a NetworkError as the second half of a sentence."""
    host = safe_text(urlsplit(url).hostname)
    if isinstance(cause, HTTPError):
        return _status(cause)
    if isinstance(cause, socket.gaierror):
        return tr(
            "the name {host} cannot be resolved, so there seems to be no internet.", host=host
        )
    if isinstance(cause, TimeoutError):
        return tr("{host} sent nothing for {timeout}.", host=host, timeout=format_seconds(timeout))
    if isinstance(cause, ConnectionRefusedError):
        return tr("{host} refused the connection.", host=host)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return tr(
            "the certificate of {host} is not trusted ({verify_message}).",
            host=host,
            verify_message=safe_text(cause.verify_message),
        )
    what = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"{safe_text(what)}."


def _status(error: HTTPError) -> str:
    if 300 <= error.code < 400:
        place = safe_text(error.headers.get("Location", "nowhere"))
        return tr(
            "it redirects to {place}; only http and https are followed, ten times at most.",
            place=place,
        )
    if error.code in (404, 410):
        return tr("the server has no such file ({code}).", code=error.code)
    return tr(
        "the server answered {code} {reason}.", code=error.code, reason=safe_text(error.reason)
    )
