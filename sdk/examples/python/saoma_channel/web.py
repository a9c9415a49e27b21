"""One HTTP request, with an error that already says what core must know: may the scheme have heard it or not."""

from collections.abc import Sequence
from dataclasses import dataclass

from componentize_py_types import Err
from saoma_channel.failed import misconfigured, no_answer, not_sent
from wit_world.imports import http, types

# The longest answer that is taken unless a request says otherwise: the contract's bound outside of `fetch-bill`.
ANSWER_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Reply:
    """What the scheme answered, unverified."""

    status: int
    # Names in lower case.
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name (in lower case)."""
        return next((value for given, value in self.headers if given == name), None)


def send(
    method: str,
    url: str,
    *,
    timeout_ms: int,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
    credentials: Sequence[http.Credential] = (),
    client_certificate: str | None = None,
    server_certificates: str | None = None,
    answer_bytes_max: int = ANSWER_BYTES_MAX,
) -> Reply:
    """Sends one request and returns the answer, whatever its status.

    `timeout_ms` is 1 to 60,000. Leave a few hundred ms of the manifest's call timeout, so that your answer still counts.
    `client_certificate` names the secret by which this side shows who it is in TLS, `server_certificates` the one that alone is
    trusted to tell who the other side is. `answer_bytes_max` may be 8 MiB in `fetch-bill`.

    Raises `misconfigured` if the account lacks a secret that the request names, `not-sent` if no byte of it left this machine,
    else `no-answer`. About this request alone: if an earlier one of the same call went unanswered, core takes the call as
    unanswered whatever you say.
    """
    named = [*headers, ("content-type", content_type)] if content_type else [*headers]
    request = http.Request(
        method, url, named, body, [*credentials], client_certificate, server_certificates, timeout_ms, answer_bytes_max
    )
    try:
        response = http.send(request)
    except Err as refused:
        raise _failed(refused.value) from None
    return Reply(response.status, response.headers, response.body)


def secret_header(name: str, prefix: str, secret: str) -> http.Credential:
    """A header whose value ends in a secret (`text`), which the host puts in: `("authorization", "Bearer ", "api-token")`."""
    return http.Credential(secret, http.CredentialPlace_Header(http.SecretHeader(name, prefix)))


def basic(user: str, secret: str) -> http.Credential:
    """Basic authentication (RFC 7617) with a secret (`text`) as the password."""
    return http.Credential(secret, http.CredentialPlace_Basic(user))


def secret_field(name: str, secret: str) -> http.Credential:
    """A last field of a form body, with a secret (`text`) as its value."""
    return http.Credential(secret, http.CredentialPlace_FormField(name))


def _failed(error: http.Error) -> Err[types.Error]:
    match error:
        case http.Error_Forbidden(why) | http.Error_Invalid(why):
            return not_sent(why)
        case http.Error_NoSecret(why):
            return misconfigured(why)
        case http.Error_Unreachable(why):
            return not_sent(f"the scheme cannot be reached: {why}")
        case http.Error_TimedOut():
            return no_answer("the scheme did not answer in time")
        case http.Error_Broken(why):
            return no_answer(f"the answer was cut off: {why}")
