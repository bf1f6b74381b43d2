"""What the setup makes in the account, mends and takes back; and everything it must leave alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from zendesk_cases import HOUSE, Account, fields, make_sink, opened, read, running_sandbox
from zendesk_consent import connected

from hub.sdk import (
    ConfigurationError,
    SetupStep,
    SignatureRejected,
    TemporaryFailure,
    WebhookRequest,
    Words,
    in_language,
)
from hub.sdk.commands import COMMANDS
from hub.testing.rig import MemoryVault
from plugins.sinks.zendesk.furniture import EVENTS
from plugins.sinks.zendesk.sink import ZendeskSink

HERE = "https://hub.example.com/hooks/acme-zendesk"
KINDS = ("webhooks", "ticket_fields", "views", "macros")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """An account of its own: what a test makes there is counted."""
    with running_sandbox(tmp_path) as running:
        yield running


class Admin:
    """A person with the API in hand."""

    def __init__(self, account: Account) -> None:
        hub = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["hub"]
        self._account = account
        self._auth = (f"{hub['email']}/token", hub["token"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call that must go well."""
        url = f"{self._account.url}/api/v2/{path}"
        answer = self._account.http.request(method, url, json=body, auth=self._auth, timeout=5)
        assert answer.ok, answer.text
        return answer.json() if answer.content.strip() else {}

    def every(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        return list(self.call("GET", kind)[kind])

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All there is of what the setup makes."""
        return {kind: self.every(kind) for kind in KINDS}

    def ours(self, kind: str) -> list[dict[str, Any]]:
        """Those with a mark of the hub."""
        texts = ("description", "agent_description")
        return [row for row in self.every(kind) if any("[social-care-hub " in (row.get(t) or "") for t in texts)]


@pytest.fixture
def admin(account: Account) -> Admin:
    """The account's own administrator."""
    return Admin(account)


@pytest.fixture
def vault() -> MemoryVault:
    """An empty vault."""
    return MemoryVault()


def sink_of(account: Account, vault: MemoryVault, **more: Any) -> ZendeskSink:
    """A sink with an API token, at a hub with a public address."""
    settings = account.sandbox.connection_settings(webhook_url="") | {"webhook_secrets": []}
    public_url, house = more.pop("public_url", "https://hub.example.com"), more.pop("house", None)
    return make_sink(settings | more, vault=vault, public_url=public_url, house=house)


def title(step: SetupStep) -> str:
    """A step's title."""
    return in_language(step.title, "en")


def missing(steps: Any) -> list[str]:
    """The titles of what is missing."""
    return [title(step) for step in steps if isinstance(step, SetupStep) and step.state == "missing"]


def signed(secret: str, body: bytes = b'{"ticket_id": "7"}') -> WebhookRequest:
    """A webhook call under this secret."""
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    headers = {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }
    return WebhookRequest("POST", "/hooks/acme-zendesk", headers, {}, body, now)


def test_planning_only_reads(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The plan names what would be made, and neither the account nor the vault changes."""
    before = admin.everything()
    steps = sink_of(account, vault).plan_setup(HERE)
    titles = missing(steps)
    assert titles[0].startswith("webhook")
    assert len([title for title in titles if title.startswith("macro ")]) == len(COMMANDS) - 1
    assert {"ticket field Customer's post", "view Social: to answer", "view Social: drafts waiting"} <= set(titles)
    assert all(step.by == "hub" for step in steps)
    assert all(isinstance(step.title, Words) for step in steps)
    told = {in_language(step.title, "it") for step in steps}  # the account's own names, whoever reads the plan
    assert {"campo dei ticket Customer's post", "vista Social: to answer", "macro Social care::Accept"} <= told
    stay = {title(step) for step in steps if "values stay" in in_language(step.stays, "en")}
    assert stay == {"ticket field Customer's post", "ticket field Published answer"}
    assert admin.everything() == before
    assert not vault.values


def test_the_webhook_is_made_with_its_secret(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """It listens to what the sink reports and to nothing else; its calls are taken without a setting for the secret."""
    sink = sink_of(account, vault)
    with pytest.raises(SignatureRejected):
        sink.verify(signed("anything"))
    sink.apply_setup(HERE)
    (webhook,) = admin.every("webhooks")
    assert (webhook["endpoint"], webhook["status"], webhook["http_method"]) == (HERE, "active", "POST")
    assert sorted(webhook["subscriptions"]) == sorted(EVENTS)
    secret = admin.call("GET", f"webhooks/{webhook['id']}/signing_secret")["signing_secret"]["secret"]
    for one in (sink, sink_of(account, vault), sink_of(account, vault, webhook_secrets=["old-secret"])):
        one.verify(signed(secret))
    with pytest.raises(SignatureRejected):
        sink.verify(signed("another"))
    sink_of(account, vault, webhook_secrets=["old-secret"]).verify(signed("old-secret"))


def test_applying_twice_makes_nothing_twice(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The second time nothing is written, from whatever process (n8n#1018: every save adds another)."""
    first = sink_of(account, vault).apply_setup(HERE)
    there, kept = admin.everything(), dict(vault.values)
    again = sink_of(account, vault)
    assert again.apply_setup(HERE) == first == again.plan_setup(HERE)
    assert admin.everything() == there
    assert vault.values == kept
    assert [title(step) for step in first if step.by == "hub" and step.state != "done"] == []


def test_the_macros_are_the_commands(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """One per command in the hub's language, one per category of its, each adds its tag and touches nothing else."""
    sink_of(account, vault, house=HOUSE.model_copy(update={"language": "it"})).apply_setup(HERE)
    macros = {row["title"]: row["actions"] for row in admin.ours("macros")}
    assert macros["Social care::Invia la bozza"] == [{"field": "current_tags", "value": "sch-send"}]
    assert macros["Social care::Altra categoria::Fattura IVA"] == [
        {"field": "current_tags", "value": "sch-category-vat_invoice"}
    ]
    assert len(macros) == len(COMMANDS) - 1 + 2


def test_an_agent_s_macro_reaches_the_ticket(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """What the agent presses is what the hub reads."""
    sink = sink_of(account, vault)
    sink.apply_setup(HERE)
    record = opened(sink, "sch-macro-1").vendor_id
    (macro,) = [row for row in admin.ours("macros") if row["title"] == "Social care::Send this draft"]
    body = {"ticket_id": int(record), "macro_id": macro["id"]}
    account.http.post(f"{account.url}/_sandbox/agent/apply_macro", json=body, timeout=5).raise_for_status()
    assert "sch-send" in admin.call("GET", f"tickets/{record}.json")["ticket"]["tags"]


def test_drift_is_mended_and_what_people_added_stays(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """Switched off, pointed elsewhere, emptied: told by the plan, mended by applying; new names and actions stay."""
    sink = sink_of(account, vault)
    sink.apply_setup(HERE)
    (webhook,) = admin.ours("webhooks")
    (macro,) = [row for row in admin.ours("macros") if row["title"].endswith("Accept")]
    (other,) = [row for row in admin.ours("macros") if row["title"].endswith("Ask again")]
    (view,) = [row for row in admin.ours("views") if row["title"].endswith("to answer")]
    (field,) = [row for row in admin.ours("ticket_fields") if row["title"] == "Published answer"]
    elsewhere = {"status": "inactive", "subscriptions": [EVENTS[0]], "endpoint": "https://old.example/hook"}
    admin.call("PATCH", f"webhooks/{webhook['id']}", {"webhook": elsewhere | {"name": "Our hub"}})
    extra = {"field": "priority", "value": "high"}
    admin.call("PUT", f"macros/{macro['id']}", {"macro": {"actions": [extra], "title": "Mine!"}})
    admin.call("PUT", f"macros/{other['id']}", {"macro": {"title": "Ask once more", "position": 1}})
    admin.call("PUT", f"views/{view['id']}", {"view": {"active": False}})
    admin.call("PUT", f"ticket_fields/{field['id']}", {"ticket_field": {"active": False}})
    told = missing(sink.plan_setup(HERE))
    assert [title.split()[0] for title in told[:4]] == ["webhook", "ticket", "view", "macro"]
    assert all(title.startswith("setting") for title in told[4:])
    assert "Accept" in told[3]
    assert not [title for title in missing(sink.apply_setup(HERE)) if not title.startswith("setting")]
    mended = admin.call("GET", f"webhooks/{webhook['id']}")["webhook"]
    assert (mended["endpoint"], mended["status"], mended["name"]) == (HERE, "active", "Our hub")
    assert sorted(mended["subscriptions"]) == sorted(EVENTS)
    actions = admin.call("GET", f"macros/{macro['id']}")["macro"]
    assert actions["actions"] == [extra, {"field": "current_tags", "value": "sch-accept"}]
    assert actions["title"] == "Mine!"
    assert admin.call("GET", f"macros/{other['id']}")["macro"]["title"] == "Ask once more"
    assert admin.call("GET", f"views/{view['id']}")["view"]["active"] is True
    assert admin.call("GET", f"ticket_fields/{field['id']}")["ticket_field"]["active"] is True
    assert len(admin.ours("webhooks")) == 1


def test_what_we_did_not_make_is_never_touched(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """Namesakes, a webhook to our own address, things of another connection and of another hub: all are as before
    after planning, applying and removing (n8n#25017, n8n#16967)."""
    webhook = {"http_method": "POST", "request_format": "json", "status": "active", "subscriptions": list(EVENTS)}
    action = [{"field": "current_tags", "value": "sch-accept"}]
    condition = [{"field": "status", "operator": "less_than", "value": "pending"}]
    mark = "[social-care-hub acme-zendesk 0123456789 macro-accept]"
    admin.call("POST", "webhooks", {"webhook": webhook | {"name": "Social Care Hub", "endpoint": HERE}})
    admin.call("POST", "macros", {"macro": {"title": "Social care::Accept", "actions": action}})
    admin.call("POST", "macros", {"macro": {"title": "other hub", "actions": action, "description": mark}})
    admin.call("POST", "views", {"view": {"title": "Social: to answer", "all": condition}})
    admin.call("POST", "ticket_fields", {"ticket_field": {"type": "text", "title": "Customer's post"}})
    before = admin.everything()
    sibling = make_sibling(account)
    sibling.apply_setup(HERE + "-2")
    with_sibling = admin.everything()
    sink = sink_of(account, vault)
    (told,) = [step for step in sink.plan_setup(HERE) if "another webhook" in title(step)]
    assert (told.state, told.by) == ("unknown", "person")
    sink.apply_setup(HERE)
    assert len(admin.ours("webhooks")) == 2
    sink.remove_setup()
    after = admin.everything()
    for kind in ("webhooks", "views", "macros"):
        assert after[kind] == with_sibling[kind]
    assert [row for row in after["ticket_fields"] if row["active"]] == with_sibling["ticket_fields"]
    sibling.remove_setup()
    assert all(row in admin.everything()[kind] for kind in KINDS for row in before[kind])


def make_sibling(account: Account) -> ZendeskSink:
    """The same connection's name at another hub."""
    return sink_of(account, MemoryVault(), public_url="https://other-hub.example.com")


def test_removing_takes_back_ours_and_keeps_the_fields_values(
    account: Account, admin: Admin, vault: MemoryVault
) -> None:
    """Webhook, views and macros go; fields are switched off, because deleting one deletes what agents see in every
    ticket. Twice is no worse, and the setup can be made anew."""
    before = admin.everything()
    sink = sink_of(account, vault)
    assert list(sink.remove_setup()) == []
    sink.apply_setup(HERE)
    assert sink.remove_setup() == [], "nothing is left for a person to do"
    after = admin.everything()
    for kind in ("webhooks", "views", "macros"):
        assert after[kind] == before[kind]
    assert [row["active"] for row in admin.ours("ticket_fields")] == [False, False]
    assert not any("secret" in name for name in vault.values)
    with pytest.raises(SignatureRejected):
        sink.verify(signed("anything"))
    assert sink.remove_setup() == []
    sink.apply_setup(HERE)
    assert [row["active"] for row in admin.ours("ticket_fields")] == [True, True]
    assert len(admin.ours("webhooks")) == 1


def test_the_fields_made_are_filled_in(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """No setting names them: their ids are remembered, by every process of the hub."""
    sink_of(account, vault).apply_setup(HERE)
    sink = sink_of(account, vault)
    (field,) = [row for row in admin.ours("ticket_fields") if row["title"] == "Customer's post"]
    record = opened(sink, "sch-field-1", view={"permalink": "https://social.example/1"}).vendor_id
    values = {row["id"]: row["value"] for row in admin.call("GET", f"tickets/{record}.json")["ticket"]["custom_fields"]}
    assert values[field["id"]] == "https://social.example/1"


def test_fields_named_in_the_settings_are_not_made(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The operator's own fields are used."""
    made = admin.call("POST", "ticket_fields", {"ticket_field": {"type": "text", "title": "Link"}})["ticket_field"]
    sink = sink_of(account, vault, permalink_field=made["id"], proof_field=made["id"])
    sink.apply_setup(HERE)
    assert admin.ours("ticket_fields") == []
    assert sink.mapped.permalink_field == made["id"]


def test_with_the_least_scopes_the_rest_is_a_person_s(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """Webhook and macros are made; views and fields come with what to do, and a view made by hand counts."""
    sink = connected(account, vault, public_url="https://hub.example.com")
    steps = sink.apply_setup(HERE)
    by_person = [step for step in steps if step.by == "person"]
    assert [title(step).split()[0] for step in by_person] == ["ticket", "ticket", "view", "view"]
    assert all("ask_write = true" in in_language(step.instructions, "it") for step in by_person)
    assert not [step for step in steps if step.by == "hub" and step.state != "done"]
    assert admin.ours("views") == admin.ours("ticket_fields") == []
    conditions = [
        {"field": "status", "operator": "less_than", "value": "pending"},
        {"field": "current_tags", "operator": "includes", "value": "sch"},
    ]
    admin.call("POST", "views", {"view": {"title": "Social, by hand", "all": conditions}})
    assert "view Social: to answer" not in missing(sink.plan_setup(HERE))
    wide = connected(account, vault, public_url="https://hub.example.com", ask_write=True)
    assert not [step for step in wide.apply_setup(HERE) if step.state != "done" and step.by == "hub"]
    assert len(admin.ours("views")) == 2
    left = connected(account, vault, public_url="https://hub.example.com").remove_setup()
    assert [" ".join(title(step).split()[:3]) for step in left] == ["deactivate the ticket"] * 2 + [
        "delete the view"
    ] * 2
    assert admin.ours("webhooks") == admin.ours("macros") == []


def test_a_lost_vault_finds_our_things_again(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The mark comes from the hub's public address: a vault made anew neither doubles nor forgets."""
    sink_of(account, vault).apply_setup(HERE)
    there, fresh = admin.everything(), MemoryVault()
    sink = sink_of(account, fresh)
    assert missing(sink.plan_setup(HERE))[0].startswith("webhook")  # its secret is not here
    sink.apply_setup(HERE)
    assert {kind: len(rows) for kind, rows in admin.everything().items()} == {k: len(v) for k, v in there.items()}
    secret = admin.call("GET", f"webhooks/{admin.ours('webhooks')[0]['id']}/signing_secret")["signing_secret"]["secret"]
    sink.verify(signed(secret))


@pytest.mark.parametrize("path", ["/api/v2/webhooks", "/api/v2/macros.json"])
def test_a_lost_answer_makes_nothing_twice(account: Account, admin: Admin, vault: MemoryVault, path: str) -> None:
    """The thing was made and we never heard: applying again finds it by its mark."""
    account.fault("POST", path, "malformed")
    sink = sink_of(account, vault)
    with pytest.raises(TemporaryFailure):
        sink.apply_setup(HERE)
    sink.apply_setup(HERE)
    assert len(admin.ours("webhooks")) == 1
    assert len(admin.ours("macros")) == len(COMMANDS) - 1


def test_without_a_public_address_no_webhook_is_made(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The plan says what that means; what was made is found again by the number in the vault."""
    sink = sink_of(account, vault, public_url="")
    (step,) = [step for step in sink.apply_setup("") if "webhook" in title(step)]
    assert (step.state, step.by) == ("unknown", "person")
    assert "public_url" in in_language(step.instructions, "en")
    assert admin.every("webhooks") == []
    macros = len(admin.ours("macros"))
    sink_of(account, vault, public_url="").apply_setup("")
    assert len(admin.ours("macros")) == macros == len(COMMANDS) - 1


def test_a_new_address_moves_the_webhook(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """The hub moved: the same webhook calls the new address."""
    sink_of(account, vault).apply_setup(HERE)
    moved = sink_of(account, vault, public_url="https://new.example.com")
    moved.apply_setup("https://new.example.com/hooks/acme-zendesk")
    assert [row["endpoint"] for row in admin.every("webhooks")] == ["https://new.example.com/hooks/acme-zendesk"]


def test_a_category_field_is_made_where_it_is_wished(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """A dropdown whose tags are ours for the category, filled in and read; a new category is added to it, and what
    people added stays."""
    sink_of(account, vault, house=HOUSE).apply_setup(HERE)
    assert not [row for row in admin.ours("ticket_fields") if row["title"] == "Category"]
    wished = {"house": HOUSE, "make_category_field": True}
    sink_of(account, vault, **wished).apply_setup(HERE)
    (field,) = [row for row in admin.ours("ticket_fields") if row["title"] == "Category"]
    options = [(row["name"], row["value"]) for row in field["custom_field_options"]]
    ours = [("Delivery", "sch_category_delivery"), ("VAT invoice", "sch_category_vat_invoice")]
    assert (field["type"], options) == ("tagger", ours)
    sink = sink_of(account, vault, **wished)
    record = opened(sink, "sch-category-1", view={"category": "delivery"}).vendor_id
    sink.deliver([fields("sch-category-1", record, key="k", category="vat_invoice")])
    made = admin.call("GET", f"tickets/{record}.json")["ticket"]
    assert [row["value"] for row in made["custom_fields"] if row["id"] == field["id"]] == ["sch_category_vat_invoice"]
    assert [tag for tag in made["tags"] if "category" in tag] == ["sch_category_vat_invoice"]
    assert read(sink, record)[0].category == "vat_invoice"
    kept = [*field["custom_field_options"], {"name": "Fairs", "value": "fairs"}]
    change = {"ticket_field": {"custom_field_options": kept[1:]}}
    admin.call("PUT", f"ticket_fields/{field['id']}", change)
    assert "ticket field Category" in missing(sink.plan_setup(HERE))
    sink.apply_setup(HERE)
    mended = admin.call("GET", f"ticket_fields/{field['id']}")["ticket_field"]["custom_field_options"]
    assert [row["value"] for row in mended] == ["sch_category_vat_invoice", "fairs", "sch_category_delivery"]


def test_what_is_no_longer_wanted_is_told_until_removal(account: Account, admin: Admin, vault: MemoryVault) -> None:
    """A field and a macro the settings do not ask for any more stand in the plan, in the account's names, as what a
    removal takes back; what was switched off stands there no more."""
    sink_of(account, vault, house=HOUSE, make_category_field=True).apply_setup(HERE)
    own = admin.call("POST", "ticket_fields", {"ticket_field": {"type": "text", "title": "Topic"}})["ticket_field"]
    fewer = HOUSE.model_copy(update={"categories": HOUSE.categories[:1]})
    sink = sink_of(account, vault, house=fewer, category_field=own["id"])
    over = [step for step in sink.plan_setup(HERE) if "made by the hub" in title(step)]
    assert [(title(step), step.state, step.by, bool(step.stays)) for step in over] == [
        ("ticket field Category (made by the hub, no longer used; removal switches it off)", "done", "hub", True),
        (
            "macro Social care::Other category::VAT invoice (made by the hub, no longer used; removal deletes it)",
            *("done", "hub", False),
        ),
    ]
    made = next(row["id"] for row in admin.ours("ticket_fields") if row["title"] == "Category")
    (named, _) = [
        title(step)
        for step in sink_of(account, vault, house=fewer, category_field=made).plan_setup(HERE)
        if "made by the hub" in title(step)
    ]
    assert named == "ticket field Category (made by the hub; removal switches it off)"
    sink.remove_setup()
    assert not any(row["active"] for row in admin.ours("ticket_fields"))
    assert not [step for step in sink.plan_setup(HERE) if "made by the hub" in title(step)]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            422,
            {"errors": [{"code": "LimitExceeded", "title": "Too many webhooks", "detail": "A trial has  ten."}]},
            ["(422)", "Too many webhooks; A trial has ten."],
        ),
        (
            422,
            {
                "error": "RecordInvalid",
                "description": "Record validation errors",
                "details": {"name": [{"description": "Name: has already been taken"}]},
            },
            ["(422 RecordInvalid: name)", "Record validation errors; Name: has already been taken"],
        ),
        (403, {"error": "Forbidden"}, ["(403 Forbidden)", "our account must be an admin"]),
    ],
)
def test_a_refusal_is_told_in_zendesks_words(
    account: Account, vault: MemoryVault, status: int, body: Any, told: list[str]
) -> None:
    """A trial's limit of ten webhooks is no matter of rights; only a 403 is."""
    account.fault("POST", "/api/v2/webhooks", "status", status=status, body=body)
    with pytest.raises(ConfigurationError) as refused:
        sink_of(account, vault).apply_setup(HERE)
    start, end = told
    assert refused.value.summary == (
        f"Zendesk does not make or change the webhook that tells the hub of changes, and its signing secret (Zendesk "
        f"refuses it {start}); {end}"
    )


def test_an_agent_s_account_cannot_set_up(account: Account, vault: MemoryVault) -> None:
    """Only admins may: the error says so."""
    agent = account.http.get(f"{account.url}/_sandbox/accounts", timeout=5).json()["agent"]
    sink = sink_of(account, vault, email=agent["email"], api_token=agent["token"])
    with pytest.raises(ConfigurationError, match="must be an admin"):
        sink.apply_setup(HERE)
