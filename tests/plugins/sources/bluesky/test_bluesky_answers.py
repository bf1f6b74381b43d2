"""What is published: in its place, once, and not where nobody would see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bluesky_stage import answer, stage
from bluesky_vendor import BLOCKS, GATES, BlueskyVendor, iso

from hub.sdk import (
    Absent,
    CannotTell,
    DeleteReply,
    Delivery,
    Failure,
    Found,
    OutcomeUnknown,
    Receipt,
    Refused,
)
from hub.testing.rig import Rig
from plugins.sources.bluesky.addresses import Address, rkey_of, time_of


def sent(rig: Rig, delivery: Delivery) -> Receipt:
    (result,) = rig.connector.deliver([delivery])
    assert isinstance(result, Receipt), result
    return result


def refused(rig: Rig, delivery: Delivery) -> str:
    (result,) = rig.connector.deliver([delivery])
    assert isinstance(result, Failure)
    assert isinstance(result.error, Refused), result.error
    return result.error.summary


def test_an_answer_hangs_on_its_post_and_its_root() -> None:
    """Both references carry the cid; the language and the link's bytes are set; the author is named by DID."""
    rig, vendor = stage()
    first = vendor.customer_posts("one")
    second = vendor.customer_posts("two", author="bruno", reply_to=first)
    bruno = vendor.account("bruno.example.org")
    text = "Sì, @bruno.example.org: https://acme.example.com/è"
    receipt = sent(rig, answer(second, text, person=bruno, handle="bruno.example.org", language="it"))
    made = vendor.records[receipt.vendor_id].value
    assert made["reply"] == vendor.below(second)
    assert made["reply"]["root"] == {"uri": first, "cid": vendor.records[first].cid}
    assert (made["langs"], made["createdAt"]) == (["it"], iso(rig.clock.now()))
    mention, link = made["facets"]
    assert mention["features"] == [{"$type": "app.bsky.richtext.facet#mention", "did": bruno}]
    raw = text.encode()
    assert raw[link["index"]["byteStart"] : link["index"]["byteEnd"]].decode() == "https://acme.example.com/è"
    assert receipt.version == vendor.records[receipt.vendor_id].cid
    assert receipt.permalink.startswith(f"https://bsky.app/profile/{vendor.brand}/post/")


def test_plain_answers_carry_nothing_more() -> None:
    """No facets, no language that is not one, and no label of a bot: a human agent speaks."""
    rig, vendor = stage()
    receipt = sent(rig, answer(vendor.customer_posts("one"), language="no language"))
    assert vendor.records[receipt.vendor_id].value.keys() == {"$type", "text", "reply", "createdAt"}


def test_the_second_part_hangs_on_the_first() -> None:
    """Its reference comes from our own server: the AppView may not have seen the first part yet."""
    rig, vendor = stage()
    post = vendor.customer_posts("one")
    first = sent(rig, answer(post, "part one", part=1, parts=2))
    vendor.calls.clear()
    second = sent(rig, answer(first.vendor_id, "part two", part=2, parts=2, key="part two"))
    made = vendor.records[second.vendor_id].value["reply"]
    assert made["parent"] == {"uri": first.vendor_id, "cid": first.version}
    assert made["root"]["uri"] == post
    assert vendor.calls == ["com.atproto.repo.getRecord", "com.atproto.repo.createRecord"]


def test_the_same_delivery_again_makes_no_second_post() -> None:
    """The server refuses a second record under one key, as a 500; the look-up then finds the first."""
    rig, vendor = stage()
    delivery = answer(vendor.customer_posts("one"))
    assert isinstance(rig.connector.find(delivery), Absent)
    receipt = sent(rig, delivery)
    rig.restart()
    rig.clock.advance(timedelta(days=3))
    (again,) = rig.connector.deliver([delivery])
    assert isinstance(again, Failure)
    assert isinstance(again.error, OutcomeUnknown)
    found = rig.connector.find(delivery)
    assert isinstance(found, Found)
    assert found.receipt == receipt
    assert len(vendor.company_posts()) == 1


def test_another_post_under_the_key_is_not_taken_for_it() -> None:
    """One in a thousand million; a person decides then."""
    rig, vendor = stage()
    post = vendor.customer_posts("one")
    sent(rig, answer(post, "some words"))
    assert isinstance(rig.connector.find(answer(post, "other words")), CannotTell)


@pytest.mark.parametrize("parent", ["3mg3vkp2ac22a", "3zzzzzzzzzzzz", "jzzzzzzzzzzzz", "2222222222222", "not-a-tid"])
def test_record_keys(parent: str) -> None:
    """Keys are TIDs whatever is answered, the same for one delivery, others for others, soon after the parent."""
    uri = Address("did:plc:ada", "app.bsky.feed.post", parent).uri
    keys = {rkey_of(f"key {number}", uri) for number in range(2000)}
    assert len(keys) == 2000
    assert rkey_of("key 7", uri) == rkey_of("key 7", uri) in keys
    answered = time_of(parent)
    for key in keys:
        at = time_of(key)
        assert at is not None, key
        if answered is not None and parent < "b":
            assert timedelta(0) < at - answered < timedelta(seconds=1.1)


@pytest.mark.parametrize("privacy", ["direct", "followers", "unlisted"])
def test_nothing_narrow_is_said_in_public(privacy: str) -> None:
    """Every post on Bluesky is for everybody."""
    rig, vendor = stage()
    assert "public" in refused(rig, answer(vendor.customer_posts("one"), privacy=privacy))
    assert vendor.company_posts() == []


def block(vendor: BlueskyVendor, who: str, whom: str) -> None:
    vendor.put(who, BLOCKS, vendor.new_key(), {"$type": BLOCKS, "subject": whom, "createdAt": iso(vendor.now())})


def test_answers_nobody_would_see_are_refused() -> None:
    """The server takes all of them; each is refused with its reason, and nothing is published."""
    rig, vendor = stage()
    deleted = vendor.customer_posts("deleted")
    vendor.customer_deletes(deleted)
    assert "deleted" in refused(rig, answer(deleted))
    closed = vendor.customer_posts("closed", author="bruno")
    gate = {"$type": GATES, "post": closed, "allow": [], "createdAt": iso(vendor.now())}
    vendor.put(closed.split("/")[2], GATES, closed.split("/")[4], gate)
    below = vendor.customer_posts("below", author="bruno", reply_to=closed)
    assert "closed" in refused(rig, answer(closed))
    assert "closed" in refused(rig, answer(below))
    theirs = vendor.customer_posts("they block us", author="carla")
    block(vendor, vendor.account("carla.example.org"), vendor.brand)
    assert "author blocks" in refused(rig, answer(theirs))
    ours = vendor.customer_posts("we block them", author="dora")
    block(vendor, vendor.brand, vendor.account("dora.example.org"))
    assert "account blocks" in refused(rig, answer(ours))
    assert "not a post" in refused(rig, answer("110012"))
    assert vendor.company_posts() == []


def test_a_part_whose_first_was_deleted_is_refused() -> None:
    """Half an answer would hang in the air."""
    rig, vendor = stage()
    first = sent(rig, answer(vendor.customer_posts("one")))
    vendor.customer_deletes(first.vendor_id)
    assert "deleted" in refused(rig, answer(first.vendor_id, "part two", part=2, parts=2))


def test_only_our_own_posts_are_deleted() -> None:
    """A deletion looks for what it did, happens once, and never touches another's post."""
    rig, vendor = stage()
    post = vendor.customer_posts("one")
    receipt = sent(rig, answer(post))
    deletion = Delivery(key="d", body=DeleteReply(message_id=receipt.vendor_id, reason="asked for"))
    assert isinstance(rig.connector.find(deletion), Absent)
    sent(rig, deletion)
    assert isinstance(rig.connector.find(deletion), Found)
    sent(rig, deletion)
    refused(rig, Delivery(key="e", body=DeleteReply(message_id=post, reason="asked for")))
    assert post in vendor.records
