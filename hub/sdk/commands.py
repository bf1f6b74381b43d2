"""What an agent can tell the hub from inside a helpdesk record: one table, the same words in every sink.

A command is a tag: whatever the helpdesk has that sets one (macro, button, status rule, hand) gives it. The hub obeys
once, removes the tag, and answers in a note when there is nothing to do.
"""

from __future__ import annotations

import re
import unicodedata
import zlib

from hub.sdk.messages import Value

CATEGORY_TAG_PREFIX = "sch-category-"
"""The tag of "other category" begins so; the category follows, see :func:`category_tag`."""


class Words(Value):
    """A text for agents, in the languages the hub speaks."""

    en: str
    it: str

    def in_language(self, language: str) -> str:
        """The text in ``language`` (``it-IT`` counts as ``it``); another one is English."""
        return self.it if language.replace("_", "-").partition("-")[0].casefold() == "it" else self.en


def in_language(text: str | Words, language: str) -> str:
    """``text`` in ``language``; one that is no :class:`Words` is the same in all."""
    return text if isinstance(text, str) else text.in_language(language)


class Command(Value):
    """One thing an agent can say. ``tag`` gives it; with ``takes_category`` it is only the tag's beginning.

    ``title`` is what a macro or button is called, ``description`` what it does, in one sentence.
    """

    name: str
    tag: str
    title: Words
    description: Words
    takes_category: bool = False


ACCEPT = Command(
    name="accept",
    tag="sch-accept",
    title=Words(en="Accept", it="Prendi in carico"),
    description=Words(
        en="This request is ours: it stays as it is, and the hub sorts it no further.",
        it="La richiesta è nostra: resta com'è e l'hub non la smista più.",
    ),
)
NOT_FOR_US = Command(
    name="not_for_us",
    tag="sch-not-for-us",
    title=Words(en="Not for us", it="Non è per noi"),
    description=Words(
        en="Solves the request without an answer; what this customer adds there does not reopen it.",
        it="Risolve la richiesta senza risposta; ciò che il cliente aggiunge lì non la riapre.",
    ),
)
OTHER_CATEGORY = Command(
    name="other_category",
    tag=CATEGORY_TAG_PREFIX,
    takes_category=True,
    title=Words(en="Other category", it="Altra categoria"),
    description=Words(
        en="Changes the category, and with it the team and the data that are needed.",
        it="Cambia la categoria e con essa il gruppo e i dati necessari.",
    ),
)
WRONG_PERSON = Command(
    name="wrong_person",
    tag="sch-wrong-person",
    title=Words(en="Wrong person", it="Persona sbagliata"),
    description=Words(
        en="This account does not belong to that customer: the hub parts them again.",
        it="Questo profilo non appartiene a quel cliente: l'hub li separa di nuovo.",
    ),
)
SAME_PERSON = Command(
    name="same_person",
    tag="sch-same-person",
    title=Words(en="Same person", it="Stessa persona"),
    description=Words(
        en="The hub's note is right: both accounts belong to one customer. “Wrong person” takes it back.",
        it="La nota dell'hub è giusta: i due profili sono dello stesso cliente. “Persona sbagliata” lo annulla.",
    ),
)
PUBLISH_TO_ALL = Command(
    name="publish_to_all",
    tag="sch-publish-to-all",
    title=Words(en="Publish to all", it="Pubblica ovunque"),
    description=Words(
        en="Publishes your last answer under this customer's other posts of the request too.",
        it="Pubblica la tua ultima risposta anche sotto gli altri post del cliente in questa richiesta.",
    ),
)
STOP_UPDATES = Command(
    name="stop_updates",
    tag="sch-stop-updates",
    title=Words(en="Stop updates", it="Ferma gli automatismi"),
    description=Words(
        en="The hub says nothing more to this customer by itself; your own answers still go out.",
        it="L'hub non dice più nulla al cliente di sua iniziativa; le tue risposte partono comunque.",
    ),
)
ASK_AGAIN = Command(
    name="ask_again",
    tag="sch-ask-again",
    title=Words(en="Ask again", it="Chiedi di nuovo"),
    description=Words(
        en="The data still missing may be asked of the customer once more.",
        it="I dati ancora mancanti possono essere chiesti al cliente un'altra volta.",
    ),
)
SEND_DRAFT = Command(
    name="send_draft",
    tag="sch-send",
    title=Words(en="Send this draft", it="Invia la bozza"),
    description=Words(
        en="Publishes the answer that waits as a draft.",
        it="Pubblica la risposta che attende come bozza.",
    ),
)

DRAFT_TAG = "sch-draft"
"""On a record while an answer waits as a draft, for the agents' views; no command: the hub sets it and takes it off."""

COMMANDS: tuple[Command, ...] = (
    ACCEPT,
    NOT_FOR_US,
    OTHER_CATEGORY,
    WRONG_PERSON,
    SAME_PERSON,
    PUBLISH_TO_ALL,
    STOP_UPDATES,
    ASK_AGAIN,
    SEND_DRAFT,
)
"""Every command, in the order to show them."""


def category_tag(category: str) -> str:
    """The tag that means "other category: this one": lower-case, letters without their accents, and what no tag may
    hold becomes ``-``. A name with letters of other scripts is told from others by a number made of it."""
    signs = unicodedata.normalize("NFKD", category.casefold())
    bare = "".join(sign for sign in signs if not unicodedata.combining(sign))
    tag = re.sub(r"[^a-z0-9_]+", "-", bare).strip("-")
    if not tag or any(sign.isalnum() and not sign.isascii() for sign in bare):
        tag = f"{tag}-{zlib.crc32(category.casefold().encode()):08x}".strip("-")
    return CATEGORY_TAG_PREFIX + tag
