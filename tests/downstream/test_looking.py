"""A wheel is read without running it: what it brings, what it may reach, and every reason against it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from hub.catalogue.reading import read
from hub.catalogue.wheels import NotAWheel, Wheel, read_wheel
from tests.downstream.wheels import SINK, make_wheel


def look(folder: Path, **given: object) -> Wheel:
    return read_wheel(make_wheel(folder, **given))  # type: ignore[arg-type]


def test_a_sound_wheel_is_described(tmp_path: Path) -> None:
    """Name, version, licence, hash, connector, API, tier, packages and hosts, all from the archive alone."""
    wheel = look(tmp_path, requires=["requests>=2"])
    assert (wheel.name, wheel.version, wheel.licence, wheel.tier) == ("sch-desk", "1.0", "MIT", "bronze")
    assert wheel.sha256 == hashlib.sha256(wheel.file.read_bytes()).hexdigest()
    assert wheel.pin == f"sch-desk==1.0 --hash=sha256:{wheel.sha256}"
    assert (dict(wheel.points), wheel.packages, wheel.requires) == (
        {"desk": "sch_desk"},
        ("sch_desk",),
        ("requests>=2",),
    )
    assert (wheel.declared.sides, wheel.declared.plugin_apis) == (("sink",), (1,))
    assert wheel.declared.reaches == ("{base_url}", "status.example.com")
    assert (wheel.declared.hints, wheel.refused) == ((), ())


def test_reading_runs_nothing(tmp_path: Path) -> None:
    """A module that would leave a trace when it is imported leaves none."""
    trace = tmp_path / "trace"
    look(tmp_path, files={"sch_desk/__init__.py": f"open({str(trace)!r}, 'w').write('ran')\n"})
    assert not trace.exists()


REFUSED = {
    "our namespace": ({"plugins/__init__.py": "", "sch_desk/__init__.py": SINK}, 'top-level package "plugins"'),
    "the hub's own": ({"hub/evil.py": "", "sch_desk/__init__.py": SINK}, 'top-level package "hub"'),
    "config": ({"config/x.py": "", "sch_desk/__init__.py": SINK}, 'top-level package "config"'),
    "tests": ({"tests/__init__.py": "", "sch_desk/__init__.py": SINK}, 'top-level package "tests"'),
    "stdlib": ({"json/__init__.py": "", "sch_desk/__init__.py": SINK}, "one of Python's own"),
    "at every start": ({"sitecustomize.py": "", "sch_desk/__init__.py": SINK}, "Python runs at every start"),
    "path file": ({"x.pth": "import os", "sch_desk/__init__.py": SINK}, "Python would run its lines at every start"),
    "data": ({"sch_desk-1.0.data/data/etc/x": "", "sch_desk/__init__.py": SINK}, "outside of its own packages"),
    "loose file": ({"x.txt": "", "sch_desk/__init__.py": SINK}, "outside of its own packages"),
    "hidden in purelib": (
        {"sch_desk-1.0.data/purelib/plugins/__init__.py": "", "sch_desk/__init__.py": SINK},
        'top-level package "plugins"',
    ),
    "our command": ({"sch_desk-1.0.data/scripts/hub": "#!", "sch_desk/__init__.py": SINK}, 'a command "hub"'),
    "leads elsewhere": ({"../x.py": "", "sch_desk/__init__.py": SINK}, "a path that leads elsewhere"),
    "too new": ({"sch_desk/__init__.py": SINK.replace("plugin_api = 1", "plugin_api = 2")}, "upgrade social-care-hub"),
    "too old": ({"sch_desk/__init__.py": SINK.replace("plugin_api = 1", "plugin_api = 0")}, "plugin API 0"),
}


@pytest.mark.parametrize(("files", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_do_harm_is_refused(files: dict[str, str], words: str, tmp_path: Path) -> None:
    """One reason, in one sentence that names the thing."""
    refused = look(tmp_path, files=files).refused
    assert len(refused) == 1, refused
    assert words in refused[0]


def test_a_package_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A plugin may not put files into an installed library; a newer version of itself may."""
    wheel = make_wheel(tmp_path, files={"requests/more.py": "", "sch_desk/__init__.py": SINK})
    taken = {"requests": ["requests"], "sch_desk": ["sch-desk"]}
    (refused,) = read_wheel(wheel, taken=taken).refused
    assert 'top-level package "requests", which belongs to requests' in refused


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    """pip installs what RECORD does not name; we do not."""
    (refused,) = look(tmp_path, unlisted=["sch_desk/__init__.py"]).refused
    assert "does not name sch_desk/__init__.py" in refused


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    """RECORD vouches for what stands there."""
    wheel = make_wheel(tmp_path)
    changed = tmp_path / "changed" / wheel.name
    changed.parent.mkdir()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"# more\n" if name.endswith("__init__.py") else b""))
    (refused,) = read_wheel(changed).refused
    assert "is not the file its list" in refused


def test_a_file_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Two readers of such an archive may see two different files."""
    wheel = make_wheel(tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("sch_desk/__init__.py", SINK)
    assert "it holds sch_desk/__init__.py twice" in read_wheel(wheel).refused


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_wheel_is_told(content: bytes, tmp_path: Path) -> None:
    """Rubbish and an empty archive are one clear error."""
    file = tmp_path / "sch_desk-1.0-py3-none-any.whl"
    file.write_bytes(content)
    with pytest.raises(NotAWheel, match="is no wheel that can be read"):
        read_wheel(file)


HINTS = {
    "import subprocess": "imports subprocess: can start programs",
    "from os import environ as e\nx = e['A']": "os.environ: reads the environment",
    "import os\nos.getenv('A')": "os.getenv(): reads the environment",
    "import os as o\no.system('x')": "os.system(): starts programs",
    "import os\nos.execv('x', [])": "os.execv(): starts programs",
    "import requests as r\nr.get('https://example.com')": "requests.get(): calls past the toolbox",
    "from requests import post\npost('https://example.com')": "requests.post(): calls past the toolbox",
    "import socket": "imports socket: can open connections past the toolbox",
    "import http.client": "imports http.client: can open connections past the toolbox",
    "from http import client": "imports http.client: can open connections past the toolbox",
    "import ctypes": "imports ctypes: can run machine code",
    "eval('1')": "eval(): runs code out of text",
    "__import__('os')": "__import__(): loads other modules",
    "from hub.store import Store": "imports hub.store: reaches into the hub past hub.sdk",
    "from hub import store": "imports hub.store: reaches into the hub past hub.sdk",
    "def broken(:": "cannot be read: SyntaxError",
    "x = '\x00'": "cannot be read",
}


@pytest.mark.parametrize(("source", "words"), HINTS.items())
def test_what_a_connector_seldom_needs_is_a_hint(source: str, words: str) -> None:
    """With file and line, whatever the name it was imported under."""
    hints = [str(hint) for hint in read([("sch_desk/x.py", source.encode())]).hints]
    assert any(words in hint and hint.startswith("sch_desk/x.py:") for hint in hints), hints


def test_ordinary_code_gives_no_hint() -> None:
    """What connectors do every day is not worth a word."""
    source = (
        "import json\nimport requests\nfrom hub.sdk import Source\nfrom hub import sdk\nrequests.RequestException\n"
    )
    assert read([("sch_desk/x.py", source.encode())]).hints == ()


def test_compiled_code_is_a_hint(tmp_path: Path) -> None:
    """What cannot be read is said to be unread."""
    hints = look(tmp_path, files={"sch_desk/__init__.py": SINK, "sch_desk/fast.so": "ELF"}).declared.hints
    assert [str(hint) for hint in hints] == ["sch_desk/fast.so:1: is compiled or too large: cannot be read"]


def test_a_plugin_that_names_no_hosts_does_not_say_none(tmp_path: Path) -> None:
    """Silence and "nobody" are told apart."""
    silent = SINK.replace('    reaches = ("{base_url}", "status.example.com")\n', "")
    assert look(tmp_path, files={"sch_desk/__init__.py": silent}).declared.reaches is None
    nobody = SINK.replace('("{base_url}", "status.example.com")', "()")
    assert look(tmp_path, files={"sch_desk/__init__.py": nobody}).declared.reaches == ()


SINK_ONLY = {"sch_desk/__init__.py": SINK}
HIDDEN: dict[str, tuple[dict[str, object], str]] = {
    "a second distribution": (
        {"files": {**SINK_ONLY, "sch_desk-1.0.data/purelib/quiet-9.dist-info/entry_points.txt": "[social_care_hub]\n"}},
        "hides a second distribution",
    ),
    "an indented command": ({"entry_points": "  [console_scripts]\n  hub = sch_desk:run\n"}, 'a command "hub" over'),
    "an indented plugin": ({"entry_points": "  ghost = os.path\n"}, "runs os.path, which is not in it"),
    "code of others": ({"points": {"desk": "hub.testing"}}, "runs hub.testing, which is not in it"),
    "another python": ({"entry_points": "[console_scripts]\npython3.11 = sch_desk:run\n"}, '"python3.11" over'),
    "a command elsewhere": (
        {"entry_points": "[console_scripts]\n../hub = sch_desk:run\n"},
        "a path that leads elsewhere",
    ),
}


@pytest.mark.parametrize(("given", "words"), HIDDEN.values(), ids=HIDDEN.keys())
def test_what_pip_would_install_is_seen(given: dict[str, object], words: str, tmp_path: Path) -> None:
    """Entry points are read as pip reads them, and nothing comes along unseen."""
    (refused,) = look(tmp_path, **{"files": SINK_ONLY, **given}).refused
    assert words in refused


def test_damaged_data_is_told(tmp_path: Path) -> None:
    """A file whose compressed bytes are broken is no wheel, and no crash."""
    whole = make_wheel(tmp_path)
    packed = tmp_path / "packed.whl"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    content = bytearray(packed.read_bytes())
    content[60:72] = b"\xff" * 12
    packed.write_bytes(content)
    with pytest.raises(NotAWheel):
        read_wheel(packed)
