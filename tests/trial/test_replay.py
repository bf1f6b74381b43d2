"""The replay posts every row once, in order, and counts in the helpdesk what became of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.sdk.sandboxes import SandboxComment, SandboxRecord
from hub.trial.recording import Memory, Posted, RecordingProblem, Row, read
from hub.trial.replay import find_arrivals, judge, post_all
from tests.trial.sandboxes import START, TinyNetwork

ROWS = [Row(1, "anna", "one"), Row(2, "luca", "two"), Row(3, "anna", "three")]


def write(folder: Path, text: str) -> Path:
    file = folder / "recording.csv"
    file.write_text(text, encoding="utf-8")
    return file


def post(rows: list[Row], memory: Memory, network: TinyNetwork, *, threads: int = 3) -> list[tuple[Row, str]]:
    done = threading.Event()
    return post_all(rows, memory, lambda: network, speed=0, threads=threads, after_each=lambda: None, stop=done)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    opened = Memory(tmp_path, write(tmp_path, "text\none\n"), ("text",))
    yield opened
    opened.close()


def comment(number: int, post_id: str, *, second: float = 0, author: str = "anna") -> SandboxComment:
    text = f"said\n\n────────\nPosted on Tiny: http://net.test/@{author}/{post_id}"
    return SandboxComment(str(number), author, text, True, START + timedelta(seconds=second), "end-user")


def record(number: int, requester: str, *comments: SandboxComment) -> SandboxRecord:
    return SandboxRecord(str(number), "s", "new", requester, START, comments=comments)


def judged(rows: list[Row], records: list[SandboxRecord]) -> dict[str, str]:
    posted = {row.number: Posted(str(100 + row.number), START.timestamp() - 1) for row in rows}
    outcome = judge(rows, posted, find_arrivals(records, posted, "http://net.test"))
    return dict(pair.split("=") for pair in outcome.line().split())


def test_rows_keep_the_order_of_the_file_and_their_times(tmp_path: Path) -> None:
    """Twitter's times, epochs and ISO times are understood, and an author's later row is never due earlier."""
    lines = [
        "who,when,text",
        "anna,Wed Nov 08 04:00:00 +0000 2017,one",
        "luca,1510113610,two",
        "anna,2017-11-08T03:00Z,x",
    ]
    rows = read(write(tmp_path, "\n".join(lines)), text="text", author="who", time="when")
    assert [(row.author, row.due) for row in rows] == [("anna", 0.0), ("luca", 10.0), ("anna", 0.0)]


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    """A misspelt column ends in a sentence that names the file's columns."""
    with pytest.raises(RecordingProblem, match='no column "body"; the file has: who, text'):
        read(write(tmp_path, "who,text\na,b\n"), text="body")


def test_same_texts_are_different_rows(tmp_path: Path) -> None:
    """Rows are counted, not texts; empty ones are left out; without authors everybody is somebody else."""
    rows = read(write(tmp_path, "text\nhi\n\nhi\n"), text="text")
    assert len(rows) == 2
    assert len({row.author for row in rows}) == 2


def test_a_second_replay_posts_nothing_new(memory: Memory) -> None:
    """What was posted is remembered by file and row."""
    network = TinyNetwork()
    post(ROWS, memory, network)
    post(ROWS, memory, network)
    assert len(network.said) == 3
    assert sorted(memory.posted()) == [1, 2, 3]


def test_a_crash_between_posting_and_remembering_posts_once(memory: Memory) -> None:
    """The same idempotency key goes out again, so the network recognises the row."""
    network = TinyNetwork()
    post_id = network.post("anna", "one", key=memory.key(ROWS[0]))
    post(ROWS, memory, network)
    assert len(network.said) == 3
    assert memory.posted()[1].post_id == post_id


def test_an_authors_rows_are_posted_in_order(memory: Memory) -> None:
    """However many threads post, the rows of one customer stay in the file's order."""
    rows = [Row(number, f"author {number % 5}", f"{number:03}") for number in range(1, 200)]
    network = TinyNetwork()
    post(rows, memory, network, threads=4)
    for author in {row.author for row in rows}:
        texts = [said.text for said in network.said if said.author == author]
        assert texts == sorted(texts)


def test_what_the_network_refuses_is_told_and_not_posted(memory: Memory) -> None:
    """A text over the limit is reported with its row, and the others go on."""
    long = replace(ROWS[1], text="x" * 501)
    refused = post([ROWS[0], long, ROWS[2]], memory, TinyNetwork())
    assert refused == [(long, "422")]
    assert sorted(memory.posted()) == [1, 3]


def test_everything_there_once_is_right() -> None:
    """Every row in a comment of its customer's one record: nothing to complain of, and the lag is an upper bound."""
    records = [
        record(1, "anna", comment(1, "101", second=2), comment(3, "103", second=4)),
        record(2, "luca", comment(2, "102", second=2)),
    ]
    found = judged(ROWS, records)
    assert {name: found[name] for name in ("rows", "arrived", "missing", "doubled", "out_of_order")} == {
        "rows": "3",
        "arrived": "3",
        "missing": "0",
        "doubled": "0",
        "out_of_order": "0",
    }
    assert found["wrong_conversation"] == "0"
    assert found["lag_p50_s"] == "4.00"  # 2 s after START, sent 1 s before it, and the helpdesk cut up to 1 s off


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        ([record(1, "anna", comment(1, "101"), comment(3, "103"))], "missing"),
        (
            [
                record(1, "anna", comment(1, "101"), comment(3, "103"), comment(4, "103")),
                record(2, "luca", comment(2, "102")),
            ],
            "doubled",
        ),
        (
            [record(1, "anna", comment(1, "103"), comment(3, "101")), record(2, "luca", comment(2, "102"))],
            "out_of_order",
        ),
        (
            [record(1, "anna", comment(1, "101"), comment(3, "103")), record(2, "anna", comment(2, "102"))],
            "wrong_conversation",
        ),
        (
            [
                record(1, "anna", comment(1, "101")),
                record(2, "luca", comment(2, "102")),
                record(3, "anna", comment(3, "103")),
            ],
            "wrong_conversation",
        ),
    ],
)
def test_each_fault_is_seen_and_named(records: list[SandboxRecord], wrong: str) -> None:
    """A lost, a doubled, a swapped and a misplaced row each show under their own name, and only there."""
    found = judged(ROWS, records)
    faults = {name: found[name] for name in ("missing", "doubled", "out_of_order", "wrong_conversation")}
    assert faults == {name: "1" if name == wrong else "0" for name in faults}


def test_links_in_texts_are_no_arrivals() -> None:
    """Only a permalink of the network itself counts, and of several the first: below it stand quoted posts."""
    posted = {1: Posted("101", 0.0), 2: Posted("102", 0.0)}
    foreign = replace(comment(1, "x"), text="look: https://t.co/101")
    quoting = replace(comment(2, "102"), text=comment(2, "102").text + "\nhttp://net.test/@anna/101")
    found = find_arrivals([record(1, "anna", foreign, quoting)], posted, "http://net.test")
    assert [arrival.row for arrival in found] == [2]
