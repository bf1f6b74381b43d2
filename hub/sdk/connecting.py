"""How a connection comes about and stays alive: the guide a person follows, consent, tokens and what will retire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from hub.sdk.messages import Identity, Value


class Permission(Value):
    """One permission (a scope, a role) a person grants at the vendor, and why the hub needs it."""

    name: str
    why: str


class GuideStep(Value):
    """One thing a person does before the hub can connect. ``url`` is the vendor's page for it; ``copy_text`` is what to
    paste there."""

    title: str
    text: str
    url: str = ""
    copy_text: str = ""


class GuideText(Value):
    """A text to paste into a form of the vendor: app review, privacy, data protection."""

    title: str
    text: str


class Guide(Value):
    """What ``hub connections connect`` shows before it asks for consent."""

    steps: tuple[GuideStep, ...] = ()
    permissions: tuple[Permission, ...] = ()
    texts: tuple[GuideText, ...] = ()


class Choice(Value):
    """One account the consent covers: a page, a brand, a workspace."""

    id: str
    name: str
    url: str = ""


class TokenState(Value):
    """One credential as it is now. ``expires_at`` is ``None`` when it does not expire or nobody knows.

    ``renews_itself``: the hub renews it before that; otherwise a person must act by then.
    """

    name: str
    expires_at: datetime | None = None
    renews_itself: bool = False


class Guides(ABC):
    """Explains what a person registers at the vendor, where, and which permissions, each with its reason."""

    @abstractmethod
    def guide(self, language: str, *, redirect_url: str, webhook_url: str) -> Guide:
        """The guide in ``language`` (``en`` or ``it``; another one is English). No I/O.

        Called by ``hub connections connect`` and by the console's page of it, before there are credentials.
        ``redirect_url`` is what to register for the consent, ``webhook_url`` is empty without a public address.
        Return a ``Guide``, which the hub shows. Raising is a bug of the plugin. Since plugin
        API 1.
        """


class AsksConsent(ABC):
    """Connects by OAuth 2: a person says yes on the vendor's page; the tokens live in the vault."""

    @abstractmethod
    def consent_url(self, *, redirect_url: str, state: str, challenge: str) -> str:
        """The vendor's page for the person's browser; ``challenge`` is PKCE's, by S256. No I/O.

        Called when a person starts to connect. Return the address, with ``state`` in it unchanged. May raise
        ``ConfigurationError`` when a setting is missing (the client's id). Since plugin API 1.
        """

    @abstractmethod
    def accept_consent(self, *, redirect_url: str, code: str, verifier: str) -> Sequence[Choice]:
        """Exchange ``code`` for tokens, put them into the vault, and return the accounts to choose from.

        Called once per consent, after the hub has checked ``state``. Return the accounts; fewer than two: nothing is
        chosen. May raise our errors, which are shown. Since plugin API 1.
        """

    def choose(self, choice: str) -> None:
        """Keep to one account of those ``accept_consent`` returned; write it into the vault.

        Called after ``accept_consent`` when it returned more than one. Return nothing. May raise our errors, which are
        shown. Since plugin API 1.
        """
        raise NotImplementedError(f"{type(self).__name__} offers accounts to choose from and cannot keep to one")


class HoldsTokens(ABC):
    """Has credentials that end: the hub renews them ahead of time and shows the days left."""

    @abstractmethod
    def tokens(self) -> Sequence[TokenState]:
        """Every credential as it is now; reads the vault and nothing else.

        Called after each check of the connection and by the console. Return them, for the
        hub to show and to renew; empty: not connected yet. Raising is a bug of the plugin. Since plugin API 1.
        """

    @abstractmethod
    def renew_tokens(self) -> None:
        """Renew what renews itself, now, through ``vault.refresh``.

        Called ahead of a token's end. Return nothing. May raise our errors, which the hub takes as those of
        ``check_connection``. Since plugin API 1.
        """

    @abstractmethod
    def forget_tokens(self) -> None:
        """Revoke at the vendor what the hub got by consent, and delete it from the vault.

        Called by ``hub connections remove``. Return nothing. May raise our errors, which are shown; the hub empties the
        vault all the same. Since plugin API 1.
        """


PROOF = "sch-proof-"
"""What a proof makes bears it: the external ids of its records, and the ids of the identities that write there, begin
with it."""


class CleansUp(ABC):
    """Deletes for good what a proof made (``hub connections prove``)."""

    @abstractmethod
    def clean_up(self, vendor_ids: Sequence[str], people: Sequence[Identity] = ()) -> Sequence[str]:
        """Delete these records (a source: posts of our own account), and what stands for ``people`` at the vendor.

        Called at the end of a proof, and again by ``hub connections prove --clean-up``: what is gone already is no
        error. Refuses what does not bear ``PROOF``: nobody else's record is ever deleted. Return what is left for a
        person to delete, a sentence each. May raise our errors, which are shown; what is left is tried again. Since
        plugin API 1.
        """
